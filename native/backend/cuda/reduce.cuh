// Sums and maxima over a warp and over a block, the same on every thread, in an order that depends on nothing but the
// block's size.
#pragma once

#include <cuda_runtime.h>

namespace muonscope::cuda {

constexpr unsigned allLanes = 0xffffffffu;
constexpr int warpSize32 = 32;

template <class T>
__device__ inline T warpSum(T x) {
  for (int offset = warpSize32 / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(allLanes, x, offset);
  return x;
}

__device__ inline float warpMax(float x) {
  for (int offset = warpSize32 / 2; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(allLanes, x, offset));
  return x;
}

// Over all threads of a block of whole warps, threadIdx.x counting them. `shared`: 32 elements, free before and after.
template <class T>
__device__ inline T blockSum(T x, T* shared) {
  const int lane = threadIdx.x % warpSize32, warp = threadIdx.x / warpSize32, warps = blockDim.x / warpSize32;
  x = warpSum(x);
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  x = warpSum(lane < warps ? shared[lane] : T{});
  __syncthreads();
  return x;
}

__device__ inline float blockMax(float x, float* shared) {
  const int lane = threadIdx.x % warpSize32, warp = threadIdx.x / warpSize32, warps = blockDim.x / warpSize32;
  x = warpMax(x);
  if (lane == 0) shared[warp] = x;
  __syncthreads();
  x = warpMax(lane < warps ? shared[lane] : shared[0]);
  __syncthreads();
  return x;
}

}  // namespace muonscope::cuda
