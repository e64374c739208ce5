// Mean squares of columns, and columns divided by roots. Threads side by side work on columns side by side.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/floats.cuh"
#include "backend/cuda/reduce.cuh"

namespace muonscope::cuda {
namespace {

constexpr int groups = passThreads / warpSize32;  // warps of a block, which share its rows
// Rows of a block: each thread has 16 independent loads to wait for at once, and what a block leaves to be added up is a
// 64th of what it read.
constexpr int64_t bandRows = 16 * groups;

// Which columns and rows of which matrix a block works on: all of a band's columns follow one another, then bands, then
// matrices.
struct Bands {
  int64_t perMatrix, acrossColumns;

  Bands(Batch x, int64_t columnsOfBlock) : perMatrix(ceilDiv(x.rows, bandRows)), acrossColumns(ceilDiv(x.cols, columnsOfBlock)) {}
  unsigned blocks(int64_t count) const { return static_cast<unsigned>(count * perMatrix * acrossColumns); }
  __device__ int64_t columns() const { return blockIdx.x % acrossColumns; }
  __device__ int64_t band() const { return blockIdx.x / acrossColumns % perMatrix; }
  __device__ int64_t matrix() const { return blockIdx.x / acrossColumns / perMatrix; }
};

// partial[count, bands, cols]: sums of squares over the rows of each band.
__global__ void bandSumsKernel(double* partial, Batch x, Bands bands) {
  __shared__ double shared[groups][warpSize32];
  const int lane = threadIdx.x % warpSize32, group = threadIdx.x / warpSize32;
  const int64_t column = bands.columns() * warpSize32 + lane, first = bands.band() * bandRows;
  const int64_t end = min(first + bandRows, x.rows);
  double sum = 0;
  if (column < x.cols) {
    const float* at = x.data + bands.matrix() * x.stride + column;
    const auto add = [&](float value) { sum += static_cast<double>(value) * static_cast<double>(value); };
    if (end - first == bandRows) {  // a constant number of rows, so that their loads are on their way at once
      float values[bandRows / groups];
      for (int i = 0; i < bandRows / groups; i++) values[i] = at[(first + group + i * groups) * x.cols];
      for (const float value : values) add(value);
    } else {
      for (int64_t i = first + group; i < end; i += groups) add(at[i * x.cols]);
    }
  }
  shared[group][lane] = sum;
  __syncthreads();
  if (group > 0 || column >= x.cols) return;
  for (int other = 1; other < groups; other++) sum += shared[other][lane];
  partial[(bands.matrix() * bands.perMatrix + bands.band()) * x.cols + column] = sum;
}

// One thread per column.
__global__ void columnMeansKernel(float* out, const double* partial, int64_t bands, int64_t count, int64_t rows, int64_t cols) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count * cols; i += step) {
    const double* at = partial + i / cols * bands * cols + i % cols;
    double sum = 0;
    for (int64_t band = 0; band < bands; band++) sum += at[band * cols];
    out[i] = static_cast<float>(sum / static_cast<double>(rows));
  }
}

// A thread works on `width` columns; their factors are computed once for the rows of a band.
template <int width>
__global__ void scaleColumnsKernel(Batch x, const float* s, float eps, Bands bands) {
  const int lane = threadIdx.x % warpSize32, group = threadIdx.x / warpSize32;
  const int64_t column = width * (bands.columns() * warpSize32 + lane), first = bands.band() * bandRows;
  if (column >= x.cols) return;
  auto factors = load<width>(s + bands.matrix() * x.cols + column);
  for (int j = 0; j < width; j++) factors.at[j] = 1 / (sqrtf(factors.at[j]) + eps);
  float* at = x.data + bands.matrix() * x.stride + column;
  for (int64_t i = first + group; i < min(first + bandRows, x.rows); i += groups) {
    auto pack = load<width>(at + i * x.cols);
    for (int j = 0; j < width; j++) pack.at[j] *= factors.at[j];
    store(at + i * x.cols, pack);
  }
}

template <int width>
void launchScaleColumns(const Stream& stream, Batch x, const float* s, float eps) {
  const Bands bands(x, width * warpSize32);
  launch(stream, scaleColumnsKernel<width>, bands.blocks(x.count), passThreads, 0, x, s, eps, bands);
}

}  // namespace

void CudaBackend::columnMeanSquare(float* out, Batch x) {
  const Bands bands(x, warpSize32);
  double* partial = scratch_->get<double>(x.count * bands.perMatrix * x.cols);
  cuda::launch(stream_, bandSumsKernel, bands.blocks(x.count), passThreads, 0, partial, x, bands);
  cuda::launch(stream_, columnMeansKernel, gridFor(stream_, x.count * x.cols, passThreads), passThreads, 0, out, partial,
               bands.perMatrix, x.count, x.rows, x.cols);
}

void CudaBackend::scaleColumns(Batch x, const float* s, float eps) {
  const bool packs = alignedForFour(x.data, s) && x.cols % 4 == 0 && x.stride % 4 == 0;
  if (packs)
    launchScaleColumns<4>(stream_, x, s, eps);
  else
    launchScaleColumns<1>(stream_, x, s, eps);
}

}  // namespace muonscope::cuda
