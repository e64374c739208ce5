// Matrices cut into chunks that are numbered through, so that one launch works on many of any size; and sums of squares
// over them, in fp64 and in an order that depends on nothing but a matrix's size: each chunk's, then each matrix's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/floats.cuh"
#include "backend/cuda/launch.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/squares.cuh"

namespace muonscope::cuda {

// That a thread of a sum loads before it adds. Derived: with the registers for that, three blocks run on a multiprocessor
// and have 3·256·8·16 bytes = 96 KB on the way; an H100 needs about 18 KB a multiprocessor (Little's law: 3.35 TB/s · 0.7 µs
// / 132).
constexpr int sumPacks = 8;
constexpr int64_t chunkSize = 4 * passThreads * sumPacks;  // floats

struct Chunk {
  float* data;
  int64_t size;
};

__device__ inline Chunk chunkOf(float* data, int64_t size, int64_t index) {
  return {data + index * chunkSize, min(chunkSize, size - index * chunkSize)};
}

// Of matrices of one shape.
struct BatchChunks {
  float* data;
  int64_t stride, size, perMatrix;

  explicit BatchChunks(Batch x) : data(x.data), stride(x.stride), size(x.rows * x.cols), perMatrix(ceilDiv(size, chunkSize)) {}
  __device__ int64_t first(int64_t matrix) const { return matrix * perMatrix; }
  __device__ Chunk operator[](int64_t i) const { return chunkOf(data + i / perMatrix * stride, size, i % perMatrix); }
};

// Of matrices that lie anywhere and differ in size. 3 KB of a kernel's parameters, of which every device and driver takes
// 4 KB (CUDA C++ Programming Guide, "__global__ Function Parameters").
struct TableChunks {
  static constexpr int64_t most = 127;
  float* data[most]{};
  int64_t size[most]{};
  int64_t firsts[most + 1]{};
  int count = 0;

  // From matrix `begin` of x on.
  TableChunks(const std::vector<Matrix>& x, int64_t begin) {
    for (const int64_t end = std::min(static_cast<int64_t>(x.size()), begin + most); begin < end; begin++, count++) {
      data[count] = x[static_cast<size_t>(begin)].data;
      size[count] = x[static_cast<size_t>(begin)].size();
      firsts[count + 1] = firsts[count] + ceilDiv(size[count], chunkSize);
    }
  }
  int64_t chunks() const { return firsts[count]; }
  __device__ int64_t first(int64_t matrix) const { return firsts[matrix]; }
  __device__ Chunk operator[](int64_t i) const {
    int low = 0, high = count;  // firsts[low] ≤ i < firsts[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (firsts[middle] <= i)
        low = middle;
      else
        high = middle;
    }
    return chunkOf(data[low], size[low], i - firsts[low]);
  }
};

// One block per chunk.
template <class Chunks>
__global__ void chunkSumsKernel(double* partial, Chunks chunks) {
  __shared__ double shared[warpSize32];
  const Chunk chunk = chunks[blockIdx.x];
  const bool aligned = alignedForFour(chunk.data);
  const auto at = [](int p) { return 4 * (static_cast<int64_t>(p) * passThreads + threadIdx.x); };
  Floats<4> packs[sumPacks];
  if (aligned && chunk.size == chunkSize) {  // without a branch between them, all loads are on their way at once
    for (int p = 0; p < sumPacks; p++) packs[p] = load<4>(chunk.data + at(p));
  } else {
    for (int p = 0; p < sumPacks; p++) packs[p] = loadBounded(chunk.data, at(p), chunk.size, aligned);
  }
  double sums[4] = {};
  for (int p = 0; p < sumPacks; p++) addSquares(sums, packs[p]);
  const double sum = blockSum(total(sums), shared);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// Sum of n numbers, the same on every thread of a block.
__device__ inline double sumOf(const double* x, int64_t n, double* shared) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
  return blockSum(sum, shared);
}

// One block per matrix.
template <class Chunks>
__global__ void matrixSumsKernel(double* out, const double* partial, Chunks chunks) {
  __shared__ double shared[warpSize32];
  const int64_t first = chunks.first(blockIdx.x);
  const double sum = sumOf(partial + first, chunks.first(blockIdx.x + 1) - first, shared);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

template <class Chunks>
void sumChunks(const Stream& stream, double* partial, const Chunks& chunks, int64_t count) {
  launch(stream, chunkSumsKernel<Chunks>, static_cast<unsigned>(count), passThreads, 0, partial, chunks);
}

template <class Chunks>
void sumMatrices(const Stream& stream, double* out, const double* partial, const Chunks& chunks, int64_t count) {
  launch(stream, matrixSumsKernel<Chunks>, static_cast<unsigned>(count), passThreads, 0, out, partial, chunks);
}

}  // namespace muonscope::cuda
