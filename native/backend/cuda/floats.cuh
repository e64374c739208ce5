// Neighbouring numbers that a thread moves at once: four by one access where addresses allow it, else one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/element.cuh"
#include "backend/cuda/launch.h"

namespace muonscope::cuda {

template <int width>
struct Width {};

template <int width>
struct Floats {
  float at[width];
};

// Whether accesses of four numbers are possible at each of the addresses: a multiple of 16 bytes for fp32, 8 for bf16.
template <class... T>
__host__ __device__ inline bool alignedForFour(const T*... p) {
  return ((reinterpret_cast<uintptr_t>(p) % (4 * sizeof(T)) == 0) && ...);
}

template <int width>
__device__ inline Floats<width> load(const float* p) {
  if constexpr (width == 4) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    return {{x.x, x.y, x.z, x.w}};
  } else {
    return {{*p}};
  }
}

template <int width>
__device__ inline void store(float* p, const Floats<width>& x) {
  if constexpr (width == 4)
    *reinterpret_cast<float4*>(p) = make_float4(x.at[0], x.at[1], x.at[2], x.at[3]);
  else
    *p = x.at[0];
}

struct alignas(8) FourBf16 {
  __nv_bfloat162 low, high;
};

template <int width>
__device__ inline void store(bf16* p, const Floats<width>& x) {
  if constexpr (width == 4)
    *reinterpret_cast<FourBf16*>(p) = {__floats2bfloat162_rn(x.at[0], x.at[1]), __floats2bfloat162_rn(x.at[2], x.at[3])};
  else
    *p = fromFloat<bf16>(x.at[0]);
}

// Elements i to i + 3 of x[n], zeros beyond its end: the same elements for the same i wherever x lies.
__device__ inline Floats<4> loadBounded(const float* x, int64_t i, int64_t n, bool aligned) {
  if (aligned && i + 4 <= n) return load<4>(x + i);
  Floats<4> pack;
  for (int j = 0; j < 4; j++) pack.at[j] = i + j < n ? x[i + j] : 0.0f;
  return pack;
}

__device__ inline void storeBounded(float* x, int64_t i, int64_t n, bool aligned, const Floats<4>& pack) {
  if (aligned && i + 4 <= n) return store(x + i, pack);
  for (int j = 0; j < 4; j++)
    if (i + j < n) x[i + j] = pack.at[j];
}

// body(Width<width>{}, i) for all packs [i, i + width) of n elements, over the x dimension of the grid.
template <class Body>
__device__ inline void eachElement(int64_t n, bool aligned, const Body& body) {
  const int64_t first = int64_t{blockIdx.x} * blockDim.x + threadIdx.x, stride = int64_t{gridDim.x} * blockDim.x;
  const int64_t packed = aligned ? n / 4 * 4 : 0;
  for (int64_t i = 4 * first; i < packed; i += 4 * stride) body(Width<4>{}, i);
  for (int64_t i = packed + first; i < n; i += stride) body(Width<1>{}, i);
}

constexpr int passThreads = 256;  // of a block; eight blocks of it are as many threads as a multiprocessor holds

// A grid for eachElement over `n` elements of each of `count` matrices: its y dimension counts matrices, in steps of
// gridDim.y where they are more than the 65535 that the dimension may have (CUDA C++ Programming Guide, "Technical
// Specifications per Compute Capability").
inline dim3 gridForPass(const Stream& stream, int64_t n, int64_t count) {
  const int64_t y = std::min<int64_t>(count, 65535);
  if (y == 0) return {1, 0, 1};
  const int64_t most = ceilDiv(gridFor(stream, n * count, 4 * passThreads), y);
  return {static_cast<unsigned>(std::min(std::max<int64_t>(1, ceilDiv(n, 4 * passThreads)), most)), static_cast<unsigned>(y), 1};
}

}  // namespace muonscope::cuda
