// What kernels call: barriers, exchanges within a warp, atomics and the functions that math.h lacks. Atomics on floating-point
// numbers are left out on purpose: their results depend on the order of threads.
#pragma once

#include <math.h>

#include <cmath>
#include <concepts>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "test/cuda_shim/builtins.h"
#include "test/cuda_shim/scheduler.h"

using CudaShimPlace = std::source_location;

inline void __syncthreads(CudaShimPlace where = CudaShimPlace::current()) { cudaShim::waitForBlock(where); }

namespace cudaShim {

template <class T>
struct Exchange {
  T value, result;
  int source;  // the lane to receive from
};

template <class T>
void exchange(void* const* slots, unsigned mask) {
  for (unsigned lane = 0; lane < lanesPerWarp; ++lane) {
    if (!(mask >> lane & 1)) continue;
    auto& slot = *static_cast<Exchange<T>*>(slots[lane]);
    if (!(mask >> slot.source & 1)) fail("A shuffle reads lane " + std::to_string(slot.source) + ", which its mask lacks");
    slot.result = static_cast<Exchange<T>*>(slots[slot.source])->value;
  }
}

// Lanes exchange within groups of `width`; a source outside of the group is the lane itself.
template <class T>
T shuffle(const char* what, unsigned mask, T value, int inGroup, int width, CudaShimPlace where) {
  static_assert(std::is_arithmetic_v<T>, "CUDA shuffles int, long, long long, unsigned ones, float and double");
  if (width < 1 || width > warpSize || (width & (width - 1))) fail(std::string(what) + ": width " + std::to_string(width) + " is no power of two up to 32");
  const int lane = static_cast<int>(threadNumber()) % warpSize;
  Exchange<T> slot{value, value, inGroup >= 0 && inGroup < width ? lane / width * width + inGroup : lane};
  meetLanes(what, mask, &slot, exchange<T>, where);
  return slot.result;
}

inline int laneIn(int width) { return static_cast<int>(threadNumber()) % warpSize % width; }

inline void ballot(void* const* slots, unsigned mask) {
  unsigned result = 0;
  for (unsigned lane = 0; lane < lanesPerWarp; ++lane)
    if (mask >> lane & 1 && static_cast<Exchange<unsigned>*>(slots[lane])->value) result |= 1u << lane;
  for (unsigned lane = 0; lane < lanesPerWarp; ++lane)
    if (mask >> lane & 1) static_cast<Exchange<unsigned>*>(slots[lane])->result = result;
}

template <class To, class From>
To sameBits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  std::memcpy(&y, &x, sizeof y);
  return y;
}

template <class T>
concept Counter = std::same_as<T, int> || std::same_as<T, unsigned> || std::same_as<T, unsigned long long>;

}  // namespace cudaShim

inline void __syncwarp(unsigned mask = 0xffffffffu, CudaShimPlace where = CudaShimPlace::current()) {
  cudaShim::meetLanes("__syncwarp", mask, nullptr, [](void* const*, unsigned) {}, where);
}

template <class T>
T __shfl_sync(unsigned mask, T x, int source, int width = 32, CudaShimPlace where = CudaShimPlace::current()) {
  return cudaShim::shuffle("__shfl_sync", mask, x, source & (width - 1), width, where);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T x, int lanes, int width = 32, CudaShimPlace where = CudaShimPlace::current()) {
  return cudaShim::shuffle("__shfl_xor_sync", mask, x, cudaShim::laneIn(width) ^ lanes, width, where);
}

template <class T>
T __shfl_down_sync(unsigned mask, T x, unsigned lanes, int width = 32, CudaShimPlace where = CudaShimPlace::current()) {
  return cudaShim::shuffle("__shfl_down_sync", mask, x, cudaShim::laneIn(width) + static_cast<int>(lanes), width, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, CudaShimPlace where = CudaShimPlace::current()) {
  cudaShim::Exchange<unsigned> slot{predicate != 0, 0, 0};
  cudaShim::meetLanes("__ballot_sync", mask, &slot, cudaShim::ballot, where);
  return slot.result;
}

template <cudaShim::Counter T>
T atomicAdd(T* p, std::type_identity_t<T> x) {
  const T old = *p;
  *p = static_cast<T>(old + x);
  return old;
}

template <cudaShim::Counter T>
T atomicMax(T* p, std::type_identity_t<T> x) {
  const T old = *p;
  *p = old < x ? x : old;
  return old;
}

template <class T>
T __ldg(const T* p) {
  return *p;
}

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }

template <class T>
  requires std::is_arithmetic_v<T>
T min(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmin(a, b);
  return b < a ? b : a;
}
template <class T>
  requires std::is_arithmetic_v<T>
T max(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmax(a, b);
  return a < b ? b : a;
}

inline unsigned __float_as_uint(float x) { return cudaShim::sameBits<unsigned>(x); }
inline int __float_as_int(float x) { return cudaShim::sameBits<int>(x); }
inline float __uint_as_float(unsigned x) { return cudaShim::sameBits<float>(x); }
inline float __int_as_float(int x) { return cudaShim::sameBits<float>(x); }
