// ReLU², the activation of So et al. 2021 (Primer, arXiv 2109.08668): y = max(x, 0)². NaN stays NaN.
#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"

namespace muonscope {
namespace {

constexpr int64_t kGrain = 16 * 1024;

MUONSCOPE_CLONES
void forward(float* y, const float* x, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i] * x[i];
}

MUONSCOPE_CLONES
void backward(float* dx, const float* dy, const float* x, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (x[i] < 0 ? 0 : 2 * x[i]);
}

}  // namespace

void CpuBackend::reluSquared(ComputeMatrix y, ComputeMatrix x) {
  pool_.parallelFor(
      x.size(), [&](int64_t begin, int64_t end) { forward(fp32(y).data + begin, fp32(x).data + begin, end - begin); }, kGrain);
}

void CpuBackend::reluSquaredBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x) {
  pool_.parallelFor(
      x.size(),
      [&](int64_t begin, int64_t end) { backward(fp32(dx).data + begin, fp32(dy).data + begin, fp32(x).data + begin, end - begin); },
      kGrain);
}

}  // namespace muonscope
