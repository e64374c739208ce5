// RMS normalisation of rows, without gain: y = x / sqrt(mean(x²) + eps). Zhang & Sennrich 2019 (arXiv 1910.07467).
#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/rms_epsilon.h"
#include "backend/cpu/vector.h"

namespace muonscope {
namespace {

constexpr int64_t kRowGrain = 32;

MUONSCOPE_CLONES
void normalizeRows(float* y, float* inverseRms, const float* x, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; i++, y += cols, x += cols) {
    const float r = 1.0f / std::sqrt(dot(x, x, cols) / static_cast<float>(cols) + kRmsEpsilon);
    inverseRms[i] = r;
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) y[j] = x[j] * r;
  }
}

// With r = (mean(x²) + eps)^-½ and y = r·x:  dx += r·dy − x·r³·(dy·x)/cols.
MUONSCOPE_CLONES
void normalizeRowsBackward(float* dx, const float* dy, const float* x, const float* inverseRms, int64_t rows,
                           int64_t cols) {
  for (int64_t i = 0; i < rows; i++, dx += cols, dy += cols, x += cols) {
    const float r = inverseRms[i];
    const float radial = r * r * r * dot(dy, x, cols) / static_cast<float>(cols);
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) dx[j] += r * dy[j] - radial * x[j];
  }
}

}  // namespace

void CpuBackend::rmsNorm(Matrix y, float* inverseRms, Matrix x) {
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        const int64_t at = begin * x.cols;
        normalizeRows(y.data + at, inverseRms + begin, x.data + at, end - begin, x.cols);
      },
      kRowGrain);
}

void CpuBackend::rmsNormBackward(Matrix dx, Matrix dy, Matrix x, const float* inverseRms) {
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        const int64_t at = begin * x.cols;
        normalizeRowsBackward(dx.data + at, dy.data + at, x.data + at, inverseRms + begin, end - begin, x.cols);
      },
      kRowGrain);
}

}  // namespace muonscope
