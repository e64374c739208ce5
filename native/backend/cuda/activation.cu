// ReLU², the activation of So et al. 2021 (Primer, arXiv 2109.08668): y = max(x, 0)². NaN stays NaN.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/pack.cuh"

namespace muonscope::cuda {
namespace {

constexpr int blockThreads = 256;

// Where a thread of a grid begins and how far apart its packs are.
struct Stride {
  int64_t first = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  int64_t step = int64_t{gridDim.x} * blockDim.x;
};

__device__ float squared(float x) { return x < 0 ? 0.0f : x * x; }
__device__ float squaredBackward(float dy, float x) { return dy * (x < 0 ? 0.0f : 2 * x); }

// n packs
template <class T, int N>
__global__ void forward(T* y, const T* x, int64_t n) {
  const Stride s;
  for (int64_t i = s.first; i < n; i += s.step) {
    auto pack = asPacks<N>(x)[i];
#pragma unroll
    for (int k = 0; k < N; k++) pack.x[k] = fromFloat<T>(squared(toFloat(pack.x[k])));
    asPacks<N>(y)[i] = pack;
  }
}

template <class T, int N>
__global__ void backward(T* dx, const T* dy, const T* x, int64_t n) {
  const Stride s;
  for (int64_t i = s.first; i < n; i += s.step) {
    auto pack = asPacks<N>(dy)[i];
    const auto at = asPacks<N>(x)[i];
#pragma unroll
    for (int k = 0; k < N; k++) pack.x[k] = fromFloat<T>(squaredBackward(toFloat(pack.x[k]), toFloat(at.x[k])));
    asPacks<N>(dx)[i] = pack;
  }
}

}  // namespace

void CudaBackend::reluSquared(ComputeMatrix y, ComputeMatrix x) {
  const auto work = [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int N = decltype(width)::value;
    const int64_t packs = x.size() / N;
    cuda::launch(stream_, forward<T, N>, gridFor(stream_, packs, blockThreads), blockThreads, 0, static_cast<T*>(y.data),
                 static_cast<const T*>(x.data), packs);
  };
  withPacks(computeBytes(), work, x.size(), y.data, x.data);
}

void CudaBackend::reluSquaredBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x) {
  const auto work = [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int N = decltype(width)::value;
    const int64_t packs = x.size() / N;
    cuda::launch(stream_, backward<T, N>, gridFor(stream_, packs, blockThreads), blockThreads, 0, static_cast<T*>(dx.data),
                 static_cast<const T*>(dy.data), static_cast<const T*>(x.data), packs);
  };
  withPacks(computeBytes(), work, x.size(), dx.data, dy.data, x.data);
}

}  // namespace muonscope::cuda
