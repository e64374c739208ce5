// Element-wise passes of the optimizers. Each element's arithmetic is the same wherever a thread's part begins.
#include <cmath>

#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"

namespace muonscope {
namespace {

// Floats; below this one thread is as fast (waking another costs some microseconds).
constexpr int64_t kGrain = 16 * 1024;

MUONSCOPE_CLONES void axpbyPart(float* y, const float* x, float a, float b, int64_t n) {
  // With b = 0 what y holds does not count, not even a NaN.
  if (b == 0) {
    for (int64_t i = 0; i < n; i++) y[i] = a * x[i];
  } else {
    for (int64_t i = 0; i < n; i++) y[i] = a * x[i] + b * y[i];
  }
}

// fresh = 1 − beta
MUONSCOPE_CLONES void momentumPart(float* u, float* m, const float* g, float beta, float fresh, bool nesterov, int64_t n) {
  if (nesterov) {
    for (int64_t i = 0; i < n; i++) {
      m[i] = fresh * g[i] + beta * m[i];
      u[i] = fresh * g[i] + beta * m[i];
    }
  } else {
    for (int64_t i = 0; i < n; i++) u[i] = m[i] = fresh * g[i] + beta * m[i];
  }
}

MUONSCOPE_CLONES void divideByRootPart(float* y, const float* x, const float* s, float eps, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] / (std::sqrt(s[i]) + eps);
}

MUONSCOPE_CLONES void lerpSquarePart(float* s, const float* x, float w, int64_t n) {
  for (int64_t i = 0; i < n; i++) s[i] += w * (x[i] * x[i] - s[i]);
}

// Not (1 − decay)·w: rounding 1 − decay to fp32 would falsify a small decay (1e-5 by 0.3 %) the same way in every step.
MUONSCOPE_CLONES void decayAndUpdatePart(float* w, const float* u, float decay, float factor, int64_t n) {
  for (int64_t i = 0; i < n; i++) w[i] -= decay * w[i] + factor * u[i];
}

// What of Adam's arithmetic is the same for all elements.
struct AdamFactors {
  float beta1, gain1;  // gain = 1 − beta
  float beta2, gain2;
  float decay;         // lr·weightDecay
  float factor;        // lr/(1 − beta1^step)
  float rootFactor;    // 1/√(1 − beta2^step)
  float eps;
};

MUONSCOPE_CLONES void adamwPart(float* w, float* m, float* s, const float* g, const AdamFactors& p, int64_t n) {
  const AdamFactors f = p;
  for (int64_t i = 0; i < n; i++) {
    m[i] = f.beta1 * m[i] + f.gain1 * g[i];
    s[i] = f.beta2 * s[i] + f.gain2 * g[i] * g[i];
    w[i] -= f.decay * w[i] + f.factor * m[i] / (std::sqrt(s[i]) * f.rootFactor + f.eps);
  }
}

}  // namespace

void CpuBackend::axpby(float* y, const float* x, float a, float b, int64_t n) {
  pool_.parallelFor(n, [&](int64_t i, int64_t end) { axpbyPart(y + i, x + i, a, b, end - i); }, kGrain);
}

void CpuBackend::momentum(Batch u, const ScatteredBatch& m, const ScatteredBatch& g, float beta, bool nesterov) {
  const auto fresh = static_cast<float>(1 - static_cast<double>(beta));
  for (int64_t k = 0; k < u.count; k++)
    pool_.parallelFor(
        u.rows * u.cols,
        [&](int64_t i, int64_t end) {
          momentumPart(u[k].data + i, m[k].data + i, g[k].data + i, beta, fresh, nesterov, end - i);
        },
        kGrain);
}

void CpuBackend::divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) {
  pool_.parallelFor(n, [&](int64_t i, int64_t end) { divideByRootPart(y + i, x + i, s + i, eps, end - i); }, kGrain);
}

void CpuBackend::lerpSquare(float* s, const float* x, float w, int64_t n) {
  pool_.parallelFor(n, [&](int64_t i, int64_t end) { lerpSquarePart(s + i, x + i, w, end - i); }, kGrain);
}

void CpuBackend::scaled(float* y, const float* x, float a, const float* factor, int64_t n) { axpby(y, x, a * *factor, 0, n); }

void CpuBackend::decayAndUpdate(const ScatteredBatch& w, Batch u, float decay, float eta, const float* scale) {
  for (int64_t k = 0; k < u.count; k++)
    pool_.parallelFor(
        u.rows * u.cols,
        [&](int64_t i, int64_t end) { decayAndUpdatePart(w[k].data + i, u[k].data + i, decay, eta * scale[k], end - i); }, kGrain);
}

void CpuBackend::adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) {
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  const AdamFactors factors = {p.beta1, 1 - p.beta1, p.beta2, 1 - p.beta2, p.lr * p.weightDecay,
                               static_cast<float>(p.lr / correction1), static_cast<float>(1 / std::sqrt(correction2)), p.eps};
  pool_.parallelFor(n, [&](int64_t i, int64_t end) { adamwPart(w + i, m + i, s + i, g + i, factors, end - i); }, kGrain);
}

}  // namespace muonscope
