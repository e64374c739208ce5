// RMS normalisation of rows, without gain: y = x / sqrt(mean(x²) + eps). Zhang & Sennrich 2019 (arXiv 1910.07467).
#include "backend/cpu/rms_epsilon.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/pack.cuh"
#include "backend/cuda/reduce.cuh"

namespace muonscope::cuda {
namespace {

// A team of threads has a row: one warp, several of which share a block, or a whole block. Each thread keeps up to
// `held` packs of its row in registers, so that memory is read once; of longer rows the rest is read twice. With 4,
// a warp has 1024 numbers of bf16, and the backward pass needs 123 of the 128 registers that 512 threads can have; with 8
// it spilled (nvcc 13.0, sm_90).
constexpr int held = 4;
constexpr int teamsOfOneWarp = 8;
constexpr int mostThreads = 512;

struct Team {
  int64_t firstRow = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  int64_t rowStep = int64_t{gridDim.x} * blockDim.y;
};

// All threads of a team are at the same row, so that a block of one team may meet at a barrier.
__device__ float teamSum(float x, float* shared) { return blockDim.x == warpSize32 ? warpSum(x) : blockSum(x, shared); }

template <class T, int N>
__device__ float products(Pack<T, N> a, Pack<T, N> b, float sum) {
#pragma unroll
  for (int k = 0; k < N; k++) sum += toFloat(a.x[k]) * toFloat(b.x[k]);
  return sum;
}

template <class T, int N>
__device__ Pack<T, N> times(Pack<T, N> x, float factor) {
#pragma unroll
  for (int k = 0; k < N; k++) x.x[k] = fromFloat<T>(toFloat(x.x[k]) * factor);
  return x;
}

// dx + r·dy − radial·x
template <class T, int N>
__device__ Pack<T, N> added(Pack<T, N> dx, Pack<T, N> dy, Pack<T, N> x, float r, float radial) {
#pragma unroll
  for (int k = 0; k < N; k++) dx.x[k] = fromFloat<T>(toFloat(dx.x[k]) + (r * toFloat(dy.x[k]) - radial * toFloat(x.x[k])));
  return dx;
}

// `packs`: of each row, cols = packs·N.
template <class T, int N>
__global__ void __launch_bounds__(mostThreads) forward(T* __restrict__ y, float* __restrict__ inverseRms, const T* __restrict__ x,
                                                       int64_t rows, int packs) {
  __shared__ float shared[warpSize32];
  const Team team;
  const int step = blockDim.x, first = threadIdx.x;
  for (int64_t i = team.firstRow; i < rows; i += team.rowStep) {
    const auto* from = asPacks<N>(x) + i * packs;
    auto* to = asPacks<N>(y) + i * packs;
    Pack<T, N> kept[held] = {};
#pragma unroll
    for (int k = 0; k < held; k++)
      if (first + k * step < packs) kept[k] = from[first + k * step];
    float sum = 0;
#pragma unroll
    for (int k = 0; k < held; k++)
      if (first + k * step < packs) sum = products(kept[k], kept[k], sum);
    for (int p = first + held * step; p < packs; p += step) sum = products(from[p], from[p], sum);
    const float r = 1.0f / sqrtf(teamSum(sum, shared) / static_cast<float>(int64_t{packs} * N) + kRmsEpsilon);
    if (first == 0) inverseRms[i] = r;
#pragma unroll
    for (int k = 0; k < held; k++)
      if (first + k * step < packs) to[first + k * step] = times(kept[k], r);
    for (int p = first + held * step; p < packs; p += step) to[p] = times(from[p], r);
  }
}

// With r = (mean(x²) + eps)^-½ and y = r·x:  dx += r·dy − x·r³·(dy·x)/cols.
template <class T, int N>
__global__ void __launch_bounds__(mostThreads) backward(T* __restrict__ dx, const T* __restrict__ dy, const T* __restrict__ x,
                                                        const float* __restrict__ inverseRms, int64_t rows, int packs) {
  __shared__ float shared[warpSize32];
  const Team team;
  const int step = blockDim.x, first = threadIdx.x;
  for (int64_t i = team.firstRow; i < rows; i += team.rowStep) {
    const auto* from = asPacks<N>(x) + i * packs;
    const auto* dFrom = asPacks<N>(dy) + i * packs;
    auto* to = asPacks<N>(dx) + i * packs;
    const float r = inverseRms[i];
    Pack<T, N> kept[held] = {}, dKept[held] = {}, old[held] = {};
#pragma unroll
    for (int k = 0; k < held; k++)
      if (first + k * step < packs) {
        kept[k] = from[first + k * step];
        dKept[k] = dFrom[first + k * step];
        old[k] = to[first + k * step];
      }
    float sum = 0;
#pragma unroll
    for (int k = 0; k < held; k++)
      if (first + k * step < packs) sum = products(dKept[k], kept[k], sum);
    for (int p = first + held * step; p < packs; p += step) sum = products(dFrom[p], from[p], sum);
    const float radial = r * r * r * teamSum(sum, shared) / static_cast<float>(int64_t{packs} * N);
#pragma unroll
    for (int k = 0; k < held; k++)
      if (first + k * step < packs) to[first + k * step] = added(old[k], dKept[k], kept[k], r, radial);
    for (int p = first + held * step; p < packs; p += step) to[p] = added(to[p], dFrom[p], from[p], r, radial);
  }
}

struct Teams {
  dim3 grid, block;
};

Teams teamsFor(const Stream& stream, int64_t rows, int64_t packs) {
  const auto threads =
      static_cast<unsigned>(std::clamp<int64_t>(ceilDiv(packs, held * warpSize32) * warpSize32, warpSize32, mostThreads));
  const unsigned teams = threads == warpSize32 ? teamsOfOneWarp : 1;
  return {gridFor(stream, rows, teams), {threads, teams}};
}

}  // namespace

void CudaBackend::rmsNorm(ComputeMatrix y, float* inverseRms, ComputeMatrix x) {
  const auto work = [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int N = decltype(width)::value;
    const auto teams = teamsFor(stream_, x.rows, x.cols / N);
    cuda::launch(stream_, forward<T, N>, teams.grid, teams.block, 0, static_cast<T*>(y.data), inverseRms,
                 static_cast<const T*>(x.data), x.rows, x.cols / N);
  };
  withPacks(computeBytes(), work, x.cols, y.data, x.data);
}

void CudaBackend::rmsNormBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x, const float* inverseRms) {
  const auto work = [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int N = decltype(width)::value;
    const auto teams = teamsFor(stream_, x.rows, x.cols / N);
    cuda::launch(stream_, backward<T, N>, teams.grid, teams.block, 0, static_cast<T*>(dx.data), static_cast<const T*>(dy.data),
                 static_cast<const T*>(x.data), inverseRms, x.rows, x.cols / N);
  };
  withPacks(computeBytes(), work, x.cols, dx.data, dy.data, x.data);
}

}  // namespace muonscope::cuda
