// Products with a symmetric result, of which one triangle is computed and mirrored: what Newton–Schulz runs on.
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/symmetric_plain.cuh"
#include "backend/cuda/symmetric_tensor_core.cuh"

namespace muonscope::cuda {
namespace {

std::string shape(ComputeBatch x) {
  return std::to_string(x.count) + " of [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) + "]";
}

// `c` holds a square matrix of this size for each of the operand's.
void checkResult(const char* what, ComputeBatch c, ComputeBatch operand, int64_t size) {
  if (c.count != operand.count || c.rows != size || c.cols != size)
    throw std::runtime_error(std::string(what) + ": expected a result of " + shape({nullptr, operand.count, size, size}) +
                             " for " + shape(operand) + ", received " + shape(c));
  if (std::max(operand.rows, operand.cols) > std::numeric_limits<int>::max() / 2)
    throw std::runtime_error(std::string(what) + ": expected sides below 2^30, received " + shape(operand));
}

void checkSquare(const char* what, ComputeBatch x) {
  if (x.rows != x.cols) throw std::runtime_error(std::string(what) + ": expected square matrices, received " + shape(x));
}

template <bool byColumns, class T>
void multiplySymmetric(const Stream& stream, const SymmetricProduct<T>& product, int64_t count) {
  const bool small = prefersSmallTiles(stream, product.size, count);
  if constexpr (std::is_same_v<T, float>) {
    small ? launchPlain<T, byColumns, smallTile>(stream, product, count)
          : launchPlain<T, byColumns, largeTile>(stream, product, count);
  } else if (fitsTensorCores(product, byColumns)) {
    small ? launchTensorCore<byColumns, smallTile>(stream, product, count)
          : launchTensorCore<byColumns, largeTile>(stream, product, count);
  } else {
    launchPlain<T, byColumns, smallTile>(stream, product, count);
  }
}

constexpr int diagonalThreads = 256;  // any number of warps: A comes from the L2 cache, where the product left it

// The diagonal of c0·I + c1·A + c2·A² for matrices [size, size], a warp for each of their `rows` in all. Since A is symmetric that
// of A² is the sum of a row's squares. Not added to what the product stored: that is rounded, and mostly cancels.
template <class T>
__global__ void diagonalOfPolynomial(T* z, const T* a, int64_t size, int64_t rows, float c0, float c1, float c2) {
  const int lane = threadIdx.x % warpSize32, warps = blockDim.x / warpSize32;
  for (int64_t i = int64_t{blockIdx.x} * warps + threadIdx.x / warpSize32; i < rows; i += int64_t{gridDim.x} * warps) {
    const T* row = a + i * size;
    float squares = 0;
    for (int64_t j = lane; j < size; j += warpSize32) squares += toFloat(row[j]) * toFloat(row[j]);
    squares = warpSum(squares);
    if (lane == 0) z[i * size + i % size] = fromFloat<T>(c0 + c1 * toFloat(row[i % size]) + c2 * squares);
  }
}

struct Terms {
  double alpha = 1, beta = 0, diagonal = 0;
};

// C = alpha·op(A)·op(B)ᵀ + beta·D + diagonal·I
void multiplySymmetric(const Stream& stream, int64_t computeBytes, ComputeBatch c, ComputeBatch a, ComputeBatch b, const void* d,
                       Side side, const Terms& terms) {
  withComputeType(computeBytes, [&](auto zero) {
    using T = decltype(zero);
    const SymmetricProduct<T> product{static_cast<T*>(c.data),
                                      static_cast<const T*>(a.data),
                                      static_cast<const T*>(b.data),
                                      static_cast<const T*>(d),
                                      static_cast<int>(c.rows),
                                      static_cast<int>(side == Side::rows ? a.cols : a.rows),
                                      static_cast<float>(terms.alpha),
                                      static_cast<float>(terms.beta),
                                      static_cast<float>(terms.diagonal)};
    side == Side::rows ? multiplySymmetric<false>(stream, product, c.count) : multiplySymmetric<true>(stream, product, c.count);
  });
}

}  // namespace

bool CudaBackend::wholeIsFaster() const {
  // The kernels here multiply with mma.sync. cuBLASLt has wgmma where compute capability 9 does: there a whole product by it took
  // 0.48 to 0.69 of the time of half of one here (measured, H200, 12 matrices with results of 768×768 and depths of 768 to 3072). In
  // tf32 it is tensor cores against none.
  return precision_ == Precision::tf32 || (precision_ == Precision::bf16 && stream_.major >= 9);
}

void CudaBackend::gram(ComputeBatch c, ComputeBatch a, Side side) {
  checkResult("gram", c, a, side == Side::rows ? a.rows : a.cols);
  if (wholeIsFaster()) return products(c, c, a, side == Side::columns, a, side == Side::rows, 1, 0);
  multiplySymmetric(stream_, computeBytes(), c, a, a, nullptr, side, {});
}

void CudaBackend::polynomial(ComputeBatch z, ComputeBatch a, double c0, double c1, double c2) {
  checkSquare("polynomial", a);
  checkResult("polynomial", z, a, a.rows);
  if (wholeIsFaster()) {
    products(z, a, a, false, a, false, c2, c1);
    return withComputeType(computeBytes(), [&](auto zero) {
      using T = decltype(zero);
      const int64_t rows = z.count * z.rows;
      cuda::launch(stream_, diagonalOfPolynomial<T>, gridFor(stream_, rows, diagonalThreads / warpSize32), diagonalThreads, 0,
                   static_cast<T*>(z.data), static_cast<const T*>(a.data), z.rows, rows, static_cast<float>(c0), static_cast<float>(c1),
                   static_cast<float>(c2));
    });
  }
  multiplySymmetric(stream_, computeBytes(), z, a, a, a.data, Side::rows, {c2, c1, c0});
}

void CudaBackend::symmetric(ComputeBatch c, ComputeBatch a, ComputeBatch b) {
  checkSquare("symmetric", a);
  checkSquare("symmetric", b);
  checkResult("symmetric", c, a, a.rows);
  checkResult("symmetric", c, b, b.rows);
  multiplySymmetric(stream_, computeBytes(), c, a, b, nullptr, Side::rows, {});
}

bool CudaBackend::prefersGram(int64_t rows, int64_t cols) const {
  // In bf16 it diverges on decaying spectra (measured: singular values of 7.6 for a geometric one of κ = 100), and ten bits, as tf32
  // has, leave errors of 0.16 there. In fp32, for sides m ≤ n and five steps, it takes 6m²n + 14m³ floating-point operations against
  // 15m²n + 5m³ (derived): the same for squares, 0.74 at 2:1. Below 2:1 the gain is not worth rounding errors that are larger, and
  // below 64 launches are what costs.
  constexpr int64_t gramRatio = 2, gramSmallest = 64;
  const int64_t shorter = std::min(rows, cols), longer = std::max(rows, cols);
  return precision_ == Precision::fp32 && shorter >= gramSmallest && longer >= gramRatio * shorter;
}

int64_t CudaBackend::preferredBatch(int64_t rows, int64_t cols) const {
  // A batch as fp32 takes 256 MiB at most: 113 matrices of 768×768, so all 48 of GPT-2 124M, whose triangles are four waves of
  // tiles on the 132 multiprocessors of an H100. More would fill it no better, and temporaries are a few times the batch.
  constexpr int64_t most = int64_t{256} << 20;
  return std::max<int64_t>(1, most / (int64_t{sizeof(float)} * std::max<int64_t>(1, rows * cols)));
}

}  // namespace muonscope::cuda
