// Numbers of the compute type in kernels: fp32 or bf16 in memory, fp32 in arithmetic.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace muonscope::cuda {

using bf16 = __nv_bfloat16;

__device__ inline float toFloat(float x) { return x; }
__device__ inline float toFloat(bf16 x) { return __bfloat162float(x); }

template <class T>
__device__ inline T fromFloat(float x);
template <>
__device__ inline float fromFloat<float>(float x) {
  return x;
}
template <>
__device__ inline bf16 fromFloat<bf16>(float x) {
  return __float2bfloat16(x);  // to nearest, ties to even
}

// Calls work(T{}) with the type that `computeBytes` stands for.
template <class Work>
void withComputeType(int64_t computeBytes, const Work& work) {
  if (computeBytes == 4)
    work(float{});
  else
    work(bf16{});
}

}  // namespace muonscope::cuda
