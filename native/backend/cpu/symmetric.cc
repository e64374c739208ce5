// Operations on symmetric matrices that BLAS lacks.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_backend.h"

namespace muonscope {
namespace {

// Rows computed by one call: fewer waste less on the other triangle, more run nearer to BLAS's peak (measured at 128 and 768).
constexpr int64_t kBand = 128;

void symmetricProduct(Matrix c, Matrix a, Matrix b) {
  const int64_t n = c.rows;
  const int ld = static_cast<int>(n);
  for (int64_t r0 = 0; r0 < n; r0 += kBand) {
    const int64_t r1 = std::min(n, r0 + kBand);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(r1 - r0), static_cast<int>(r1), ld, 1, a.data + r0 * n, ld,
                b.data, ld, 0, c.data + r0 * n, ld);
    for (int64_t i = r0; i < r1; i++)
      for (int64_t j = 0; j < i; j++) c.data[j * n + i] = c.data[i * n + j];
  }
}

}  // namespace

void CpuBackend::symmetricBatch(Batch c, Batch a, Batch b) {
  if (c.count != a.count || c.count != b.count || c.rows != c.cols || a.rows != c.rows || a.cols != c.rows || b.rows != c.rows ||
      b.cols != c.rows)
    throw std::runtime_error("symmetricBatch: expected three batches of square matrices of one size, received " + std::to_string(c.rows) +
                             "×" + std::to_string(c.cols) + " = " + std::to_string(a.rows) + "×" + std::to_string(a.cols) + " · " +
                             std::to_string(b.rows) + "×" + std::to_string(b.cols));
  pool_.parallelFor(c.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) symmetricProduct(c[i], a[i], b[i]);
  });
}

void CpuBackend::addDiagonalBatch(Batch c, float value) {
  for (int64_t i = 0; i < c.count; i++)
    for (int64_t j = 0; j < c.rows; j++) c[i].data[j * c.cols + j] += value;
}

}  // namespace muonscope
