// Division of matrices by their Frobenius norm, cast to the compute type on the way: what Newton–Schulz begins with.
#include "backend/cuda/chunks.cuh"
#include "backend/cuda/cuda_backend.h"

namespace muonscope::cuda {
namespace {

// Partial sums that each block of the second pass adds up for itself; where a matrix has more they are added up before, in
// one launch more. Derived: 512 are 4 KB from the L2 cache, an eighth of what the block reads of a matrix at least.
constexpr int64_t mostPartials = 512;

// squares[count · partials]: the sum of squares of each matrix in `partials` parts.
template <class T>
__global__ void scaleToNormKernel(T* y, int64_t yStride, const float* x, int64_t xStride, int64_t count, int64_t n,
                                  const double* squares, int64_t partials, double target, double smallest) {
  __shared__ double shared[warpSize32];
  for (int64_t k = blockIdx.y; k < count; k += gridDim.y) {
    const double norm = sqrt(sumOf(squares + k * partials, partials, shared));
    // A NaN stays one. A matrix of zeros stays one even when `smallest` is 0.
    const auto factor = norm == 0 ? 0.0f : static_cast<float>(target / (norm < smallest ? smallest : norm));
    T* yk = y + k * yStride;
    const float* xk = x + k * xStride;
    eachElement(n, alignedForFour(xk) && alignedForFour(yk), [&]<int width>(Width<width>, int64_t i) {
      auto pack = load<width>(xk + i);
      for (int j = 0; j < width; j++) pack.at[j] *= factor;
      store(yk + i, pack);
    });
  }
}

template <class T>
void normalizeTo(const Stream& stream, Scratch& scratch, T* y, int64_t yStride, Batch x, double target, double smallest) {
  const BatchChunks chunks(x);
  const int64_t n = x.rows * x.cols, partials = x.count * chunks.perMatrix;
  const bool summedBefore = chunks.perMatrix > mostPartials;
  double* partial = scratch.get<double>(partials + (summedBefore ? x.count : 0));
  const double* squares = partial;
  sumChunks(stream, partial, chunks, partials);
  if (summedBefore) {
    sumMatrices(stream, partial + partials, partial, chunks, x.count);
    squares = partial + partials;
  }
  // Blocks of the size of a chunk at least, so that adding up what `squares` has is little of their work.
  dim3 grid = gridForPass(stream, n, x.count);
  grid.x = static_cast<unsigned>(std::clamp<int64_t>(chunks.perMatrix, 1, grid.x));
  launch(stream, scaleToNormKernel<T>, grid, passThreads, 0, y, yStride, x.data, x.stride, x.count, n, squares,
         summedBefore ? 1 : chunks.perMatrix, target, smallest);
}

}  // namespace

void CudaBackend::normalize(ComputeBatch y, Batch x, double target, double smallest) {
  withComputeType(computeBytes(), [&](auto element) {
    normalizeTo(stream_, *scratch_, static_cast<decltype(element)*>(y.data), y.size(), x, target, smallest);
  });
}

void CudaBackend::normalize(Batch y, Batch x, double target, double smallest) {
  normalizeTo(stream_, *scratch_, y.data, y.stride, x, target, smallest);
}

}  // namespace muonscope::cuda
