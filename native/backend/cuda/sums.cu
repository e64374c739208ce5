// Sums of squares and what is made of them, all of it in the device's memory.
#include "backend/cuda/chunks.cuh"
#include "backend/cuda/cuda_backend.h"

namespace muonscope::cuda {
namespace {

__global__ void addDoublesKernel(double* y, const double* x, int64_t n) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += int64_t{gridDim.x} * blockDim.x) y[i] += x[i];
}

__global__ void updateScaleKernel(float* scale, const double* before, const double* after, double target, int64_t n) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += int64_t{gridDim.x} * blockDim.x)
    scale[i] = after[i] > 0 ? static_cast<float>(target * (before ? sqrt(before[i]) : 1.0) / sqrt(after[i])) : 0.0f;
}

__global__ void clipKernel(TableChunks chunks, int64_t count, const double* squares, int64_t n, double limit) {
  __shared__ double shared[warpSize32];
  const double norm = sqrt(sumOf(squares, n, shared));
  if (norm <= limit) return;
  // As torch.nn.utils.clip_grad_norm_, whose 1e-6 guards a norm of zero.
  const auto factor = static_cast<float>(limit / (norm + 1e-6));
  for (int64_t i = blockIdx.x; i < count; i += gridDim.x) {
    const Chunk chunk = chunks[i];
    const bool aligned = alignedForFour(chunk.data);
    for (int64_t at = 4 * threadIdx.x; at < chunk.size; at += 4 * passThreads) {
      Floats<4> pack = loadBounded(chunk.data, at, chunk.size, aligned);
      for (int j = 0; j < 4; j++) pack.at[j] *= factor;
      storeBounded(chunk.data, at, chunk.size, aligned, pack);
    }
  }
}

// work(table, first matrix) until all are done.
template <class Work>
void inTables(const std::vector<Matrix>& x, const Work& work) {
  for (int64_t first = 0; first < static_cast<int64_t>(x.size()); first += TableChunks::most) work(TableChunks(x, first), first);
}

}  // namespace

void CudaBackend::sumSquares(double* out, Batch x) {
  const BatchChunks chunks(x);
  const int64_t count = x.count * chunks.perMatrix;
  double* partial = scratch_->get<double>(count);
  sumChunks(stream_, partial, chunks, count);
  sumMatrices(stream_, out, partial, chunks, x.count);
}

void CudaBackend::sumSquares(double* out, const std::vector<Matrix>& x) {
  inTables(x, [&](const TableChunks& chunks, int64_t first) {
    double* partial = scratch_->get<double>(chunks.chunks());
    sumChunks(stream_, partial, chunks, chunks.chunks());
    sumMatrices(stream_, out + first, partial, chunks, chunks.count);
  });
}

void CudaBackend::addDoubles(double* y, const double* x, int64_t n) {
  cuda::launch(stream_, addDoublesKernel, gridFor(stream_, n, passThreads), passThreads, 0, y, x, n);
}

void CudaBackend::updateScale(float* scale, const double* before, const double* after, double target, int64_t n) {
  cuda::launch(stream_, updateScaleKernel, gridFor(stream_, n, passThreads), passThreads, 0, scale, before, after, target, n);
}

void CudaBackend::clip(const std::vector<Matrix>& gradients, const double* squares, int64_t n, double limit) {
  inTables(gradients, [&](const TableChunks& chunks, int64_t) {
    const int64_t count = chunks.chunks();
    cuda::launch(stream_, clipKernel, gridFor(stream_, count, 1), passThreads, 0, chunks, count, squares, n, limit);
  });
}

}  // namespace muonscope::cuda
