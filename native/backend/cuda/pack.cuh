// Neighbouring numbers that one thread reads or writes together: 16 bytes, the widest access of a thread (CUDA C++
// Programming Guide, "Device Memory Accesses"), where alignment allows it, and one number otherwise.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/cuda/element.cuh"

namespace muonscope::cuda {

constexpr int accessBytes = 16;

// How many numbers of T a thread reads together.
template <class T>
constexpr int packWidth = accessBytes / static_cast<int>(sizeof(T));

constexpr int packAlignment(int bytes) { return bytes < accessBytes ? bytes : accessBytes; }

template <class T, int N>
struct alignas(packAlignment(N * static_cast<int>(sizeof(T)))) Pack {
  T x[N];
};

template <int N, class T>
__device__ inline const Pack<T, N>* asPacks(const T* p) {
  return reinterpret_cast<const Pack<T, N>*>(p);
}
template <int N, class T>
__device__ inline Pack<T, N>* asPacks(T* p) {
  return reinterpret_cast<Pack<T, N>*>(p);
}

inline bool isAligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % accessBytes == 0; }

// Calls work(T{}, N) with the type that `computeBytes` stands for and, as an integral constant, how many numbers of
// each row [cols] of the matrices at `pointers` a thread can take together.
template <class Work, class... Pointers>
void withPacks(int64_t computeBytes, const Work& work, int64_t cols, const Pointers*... pointers) {
  withComputeType(computeBytes, [&](auto type) {
    using T = decltype(type);
    if (cols % packWidth<T> == 0 && (isAligned(pointers) && ...))
      work(type, std::integral_constant<int, packWidth<T>>{});
    else
      work(type, std::integral_constant<int, 1>{});
  });
}

}  // namespace muonscope::cuda
