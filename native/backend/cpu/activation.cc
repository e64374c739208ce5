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

void CpuBackend::reluSquared(float* y, const float* x, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { forward(y + begin, x + begin, end - begin); }, kGrain);
}

void CpuBackend::reluSquaredBackward(float* dx, const float* dy, const float* x, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { backward(dx + begin, dy + begin, x + begin, end - begin); }, kGrain);
}

}  // namespace muonscope
