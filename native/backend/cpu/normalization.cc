// RMS normalisation of rows, without gain: y = x / sqrt(mean(x²) + eps). Zhang & Sennrich 2019 (arXiv 1910.07467).
#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/rms_epsilon.h"
#include "backend/cpu/vector.h"

namespace muonscope {
namespace {

constexpr int64_t kRowGrain = 32;

MUONSCOPE_CLONES
void rmsRows(float* y, float* inverseRms, const float* x, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; i++, y += cols, x += cols) {
    const float r = 1.0f / std::sqrt(dot(x, x, cols) / static_cast<float>(cols) + kRmsEpsilon);
    inverseRms[i] = r;
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) y[j] = x[j] * r;
  }
}

// With r = (mean(x²) + eps)^-½ and y = r·x:  dx += r·dy − x·r³·(dy·x)/cols.
MUONSCOPE_CLONES
void rmsRowsBackward(float* dx, const float* dy, const float* x, const float* inverseRms, int64_t rows,
                           int64_t cols) {
  for (int64_t i = 0; i < rows; i++, dx += cols, dy += cols, x += cols) {
    const float r = inverseRms[i];
    const float radial = r * r * r * dot(dy, x, cols) / static_cast<float>(cols);
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) dx[j] += r * dy[j] - radial * x[j];
  }
}

}  // namespace

void CpuBackend::rmsNorm(ComputeMatrix y, float* inverseRms, ComputeMatrix x) {
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        const int64_t at = begin * x.cols;
        rmsRows(fp32(y).data + at, inverseRms + begin, fp32(x).data + at, end - begin, x.cols);
      },
      kRowGrain);
}

void CpuBackend::rmsNormBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x, const float* inverseRms) {
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        const int64_t at = begin * x.cols;
        rmsRowsBackward(fp32(dx).data + at, fp32(dy).data + at, fp32(x).data + at, inverseRms + begin, end - begin, x.cols);
      },
      kRowGrain);
}

}  // namespace muonscope
