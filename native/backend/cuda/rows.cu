// Mean squares of rows, and rows divided by the root of a moving average of them. A warp or a block for each row, which
// keeps it in registers, so that it is read once.
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/floats.cuh"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/squares.cuh"

namespace muonscope::cuda {
namespace {

constexpr int heldPacks = 8;  // that a thread loads before it adds, as in chunks.cuh

// Columns that a warp holds; longer rows get a block, and what of them a block does not hold, 8192 columns, is read twice.
constexpr int64_t heldByWarp = 4 * warpSize32 * heldPacks;

// What one of `lanes` threads has to do with a row: every lanes-th pack.
template <int lanes>
struct RowPart {
  float* row;
  int64_t cols;
  int lane;
  bool whole;  // the row consists of packs alone
  Floats<4> held[heldPacks];

  __device__ RowPart(float* x, int64_t columns)
      : row(x), cols(columns), lane(threadIdx.x % lanes), whole(alignedForFour(x) && columns % 4 == 0) {
    if (whole) {  // without a branch between them, all loads are on their way at once
      for (int p = 0; p < heldPacks; p++) held[p] = at(p) < cols ? load<4>(row + at(p)) : Floats<4>{};
    } else {
      for (int p = 0; p < heldPacks; p++) held[p] = loadBounded(row, at(p), cols, false);
    }
  }
  __device__ int64_t at(int64_t p) const { return 4 * (p * lanes + lane); }

  // Over the whole row, the same on each of its threads, which have all read what they hold by then.
  __device__ double sumSquares(double* shared) const {
    double sums[4] = {};
    for (int p = 0; p < heldPacks; p++) addSquares(sums, held[p]);
    for (int64_t p = heldPacks; at(p) < cols; p++) addSquares(sums, loadBounded(row, at(p), cols, whole));
    if constexpr (lanes == warpSize32) {
      const double sum = warpSum(total(sums));
      __syncwarp();
      return sum;
    } else {
      return blockSum(total(sums), shared);
    }
  }

  __device__ void multiply(float factor) {
    for (int p = 0; p < heldPacks; p++) storeProduct(p, held[p], factor);
    for (int64_t p = heldPacks; at(p) < cols; p++) storeProduct(p, loadBounded(row, at(p), cols, whole), factor);
  }
  __device__ void storeProduct(int64_t p, Floats<4> pack, float factor) {
    for (int j = 0; j < 4; j++) pack.at[j] *= factor;
    storeBounded(row, at(p), cols, whole, pack);
  }
};

// Which row of a batch's count · rows this thread works on.
template <int lanes>
__device__ int64_t rowIndex() {
  return int64_t{blockIdx.x} * (passThreads / lanes) + threadIdx.x / lanes;
}

template <int lanes>
__global__ void rowMeanSquareKernel(float* out, Batch x) {
  __shared__ double shared[warpSize32];
  const int64_t i = rowIndex<lanes>();
  if (i >= x.count * x.rows) return;
  const RowPart<lanes> part(x.data + i / x.rows * x.stride + i % x.rows * x.cols, x.cols);
  const double sum = part.sumSquares(shared);
  if (part.lane == 0) out[i] = static_cast<float>(sum / static_cast<double>(x.cols));
}

// fresh = 1 − beta
template <int lanes>
__global__ void normalizeRowsKernel(Batch x, float* v, float beta, float fresh, float eps, bool divide) {
  __shared__ double shared[warpSize32];
  const int64_t i = rowIndex<lanes>();
  if (i >= x.count * x.rows) return;
  RowPart<lanes> part(x.data + i / x.rows * x.stride + i % x.rows * x.cols, x.cols);
  const float before = v[i];
  const auto meanSquare = static_cast<float>(part.sumSquares(shared) / static_cast<double>(x.cols));
  const float after = fresh * meanSquare + beta * before;
  if (part.lane == 0) v[i] = after;
  if (divide) part.multiply(1 / (sqrtf(after) + eps));
}

// Launches the kernel of two that suits rows of this length.
template <class... Parameters, class... Arguments>
void launchForRows(const Stream& stream, void (*byWarp)(Parameters...), void (*byBlock)(Parameters...), Batch x,
                   Arguments... arguments) {
  const bool warps = x.cols <= heldByWarp;
  const int64_t rowsPerBlock = warps ? passThreads / warpSize32 : 1;
  const auto blocks = static_cast<unsigned>(ceilDiv(x.count * x.rows, rowsPerBlock));
  launch(stream, warps ? byWarp : byBlock, blocks, passThreads, 0, arguments...);
}

}  // namespace

void CudaBackend::rowMeanSquare(float* out, Batch x) {
  launchForRows(stream_, rowMeanSquareKernel<warpSize32>, rowMeanSquareKernel<passThreads>, x, out, x);
}

void CudaBackend::normalizeRows(Batch x, float* v, float beta, float eps, bool divide) {
  const auto fresh = static_cast<float>(1 - static_cast<double>(beta));
  launchForRows(stream_, normalizeRowsKernel<warpSize32>, normalizeRowsKernel<passThreads>, x, x, v, beta, fresh, eps, divide);
}

}  // namespace muonscope::cuda
