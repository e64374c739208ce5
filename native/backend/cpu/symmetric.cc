// Operations on symmetric matrices that BLAS lacks.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/split.h"

namespace muonscope {
namespace {

// Rows computed by one call: fewer waste less on the other triangle, more run nearer to BLAS's peak. Measured on the
// Newton–Schulz iterations: 64 to 192 are alike for products of 768×768, 64 is the fastest for 128×128.
constexpr int64_t kBand = 64;

struct SymmetricProduct {
  Matrix c, a, b;

  int64_t size() const { return c.rows; }

  // The lower triangle's rows [r0, r1), and a little of the other triangle.
  void lowerRows(int64_t r0, int64_t r1) const {
    const int n = static_cast<int>(size());
    for (int64_t first = r0; first < r1; first += kBand) {
      const int64_t end = std::min(r1, first + kBand);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(end - first), static_cast<int>(end), n, 1,
                  a.data + first * size(), n, b.data, n, 0, c.data + first * size(), n);
    }
  }

  void whole() const {
    lowerRows(0, size());
    mirrorLower(c, 0, size());
  }

  void split(ThreadPool& pool) const {
    if (double(size()) * double(size()) * double(size()) / 2 < kSplitFrom) return whole();
    overBands(pool, size(), [&](int64_t r0, int64_t r1) { lowerRows(r0, r1); });
    overBands(pool, size(), [&](int64_t r0, int64_t r1) { mirrorLower(c, r0, r1); });
  }
};

}  // namespace

void CpuBackend::symmetricBatch(Batch c, Batch a, Batch b) {
  if (c.count != a.count || c.count != b.count || c.rows != c.cols || a.rows != c.rows || a.cols != c.rows || b.rows != c.rows ||
      b.cols != c.rows)
    throw std::runtime_error("symmetricBatch: expected three batches of square matrices of one size, received " + std::to_string(c.rows) +
                             "×" + std::to_string(c.cols) + " = " + std::to_string(a.rows) + "×" + std::to_string(a.cols) + " · " +
                             std::to_string(b.rows) + "×" + std::to_string(b.cols));
  const auto product = [&](int64_t i) { return SymmetricProduct{c[i], a[i], b[i]}; };
  sideBySide(
      pool_, c.count, [&](int64_t i) { product(i).whole(); }, [&](int64_t i) { product(i).split(pool_); });
}

// On the lane that multiplied the matrix, whose cache holds it.
void CpuBackend::addDiagonalBatch(Batch c, float value) {
  pool_.parallelFor(c.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      for (int64_t j = 0; j < c.rows; j++) c[i].data[j * c.cols + j] += value;
  });
}

}  // namespace muonscope
