// Eigenvalues of a Gram matrix: formed in fp64 (an fp32 one loses singular values below about 3e-4 of the largest),
// then LAPACK's dsyevd without vectors.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/cpu/blas.h"
#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"

#if !defined(MUONSCOPE_ACCELERATE)
extern "C" void dsyevd_(const char* job, const char* triangle, const int* n, double* a, const int* lda, double* w, double* work,
                        const int* workSize, int* integerWork, const int* integerWorkSize, int* info, size_t jobLength,
                        size_t triangleLength);
#endif

namespace muonscope {
namespace {

// Of the longer side: how much is converted to fp64 at a time, so that a matrix of a vocabulary's height needs little memory.
constexpr int64_t kPanel = 512;

MUONSCOPE_CLONES void widen(double* to, const float* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = from[i];
}

// Part `part` of the rows of a lower triangle, cut so that each part holds about the same area.
int64_t band(int64_t size, int64_t part, int64_t parts) {
  return static_cast<int64_t>(double(size) * std::sqrt(double(part) / double(parts)) + 0.5);
}

// Rows [r0, r1) of the lower triangle of gram += panel·panelᵀ (wide, panel[size, depth]) or panelᵀ·panel (tall, panel[depth, size]).
void accumulate(double* gram, int64_t size, const double* panel, int64_t depth, bool wide, int64_t r0, int64_t r1) {
  if (r0 == r1) return;
  const int lead = static_cast<int>(wide ? depth : size), rows = static_cast<int>(r1 - r0);
  const double* part = panel + (wide ? r0 * depth : r0);
  if (r0 > 0)
    cblas_dgemm(CblasRowMajor, wide ? CblasNoTrans : CblasTrans, wide ? CblasTrans : CblasNoTrans, rows, static_cast<int>(r0),
                static_cast<int>(depth), 1, part, lead, panel, lead, 1, gram + r0 * size, static_cast<int>(size));
  cblas_dsyrk(CblasRowMajor, CblasLower, wide ? CblasNoTrans : CblasTrans, rows, static_cast<int>(depth), 1, part, lead, 1,
              gram + r0 * size + r0, static_cast<int>(size));
}

struct KnownEigenvalues final : Eigenvalues {
  explicit KnownEigenvalues(int64_t size) : values(static_cast<size_t>(size)) {}
  bool ready() const override { return true; }
  const std::vector<double>& get() override { return values; }
  std::vector<double> values;
};

}  // namespace

void symmetricEigenvalues(double* out, double* a, int64_t size) {
  if (size == 0) return;
  const int n = static_cast<int>(size), workSize = 2 * n + 1, integerWorkSize = 1;
  std::vector<double> work(static_cast<size_t>(workSize));
  int integerWork = 0, info = 0;
  // A row-major lower triangle is LAPACK's upper one.
#if defined(MUONSCOPE_ACCELERATE)
  dsyevd_("N", "U", &n, a, &n, out, work.data(), &workSize, &integerWork, &integerWorkSize, &info);
#else
  dsyevd_("N", "U", &n, a, &n, out, work.data(), &workSize, &integerWork, &integerWorkSize, &info, 1, 1);
#endif
  if (info != 0)
    throw std::runtime_error("Eigenvalues of a " + std::to_string(size) + "×" + std::to_string(size) +
                             " Gram matrix: expected dsyevd to converge, received info = " + std::to_string(info));
}

// At once: the processors have nothing else to do meanwhile but the step.
std::shared_ptr<Eigenvalues> CpuBackend::gramEigenvalues(Matrix x) {
  const bool wide = x.rows <= x.cols;
  const int64_t size = std::min(x.rows, x.cols), longer = std::max(x.rows, x.cols);
  auto result = std::make_shared<KnownEigenvalues>(size);
  if (size == 0) return result;
  double squares = 0;
  sumSquares(&squares, Batch{x.data, 1, x.rows, x.cols, x.size()});
  if (!std::isfinite(squares)) {  // sums of squares of finite fp32 numbers stay finite in fp64
    std::ranges::fill(result->values, std::numeric_limits<double>::quiet_NaN());
    return result;
  }
  double* gram = scratch_.get<double>(size * size + size * std::min(longer, kPanel));
  double* panel = gram + size * size;
  std::fill(gram, gram + size * size, 0.0);
  const int64_t lanes = pool_.lanes();
  for (int64_t first = 0; first < longer; first += kPanel) {
    const int64_t depth = std::min(kPanel, longer - first);
    if (wide) {
      for (int64_t i = 0; i < size; i++) widen(panel + i * depth, x.data + i * x.cols + first, depth);
    } else {
      widen(panel, x.data + first * x.cols, depth * size);
    }
    pool_.parallelFor(lanes, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) accumulate(gram, size, panel, depth, wide, band(size, i, lanes), band(size, i + 1, lanes));
    });
  }
  symmetricEigenvalues(result->values.data(), gram, size);
  return result;
}

}  // namespace muonscope
