// Element-wise passes of the optimizers: bound by memory, so each number is read once and written once.
#include <algorithm>
#include <cmath>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/floats.cuh"

namespace muonscope::cuda {
namespace {

// Of matrices that lie anywhere. Two such tables are 2 KB of a kernel's parameters, of which every device and driver
// takes 4 KB (CUDA C++ Programming Guide, "__global__ Function Parameters").
constexpr int64_t perLaunch = 128;

struct Addresses {
  float* at[perLaunch];
};

Addresses addresses(const ScatteredBatch& batch, int64_t first) {
  Addresses result{};
  std::copy_n(batch.data.begin() + first, std::min(perLaunch, batch.count() - first), result.at);
  return result;
}

// work(first matrix, how many) until all are done.
template <class Work>
void inLaunches(int64_t count, const Work& work) {
  for (int64_t first = 0; first < count; first += perLaunch) work(first, std::min(perLaunch, count - first));
}

__global__ void axpbyKernel(float* y, const float* x, float a, float b, int64_t n) {
  eachElement(n, alignedForFour(y, x), [&]<int width>(Width<width>, int64_t i) {
    auto p = load<width>(x + i);
    // With b = 0 what y holds does not count, not even a NaN.
    const auto q = b == 0 ? Floats<width>{} : load<width>(y + i);
    for (int j = 0; j < width; j++) p.at[j] = a * p.at[j] + b * q.at[j];
    store(y + i, p);
  });
}

__global__ void scaledKernel(float* y, const float* x, float a, const float* factor, int64_t n) {
  const float by = a * *factor;
  eachElement(n, alignedForFour(y, x), [&]<int width>(Width<width>, int64_t i) {
    auto p = load<width>(x + i);
    for (int j = 0; j < width; j++) p.at[j] *= by;
    store(y + i, p);
  });
}

// fresh = 1 − beta
__global__ void momentumKernel(float* u, int64_t stride, Addresses m, Addresses g, float beta, float fresh, bool nesterov,
                               int64_t n) {
  float *uk = u + blockIdx.y * stride, *mk = m.at[blockIdx.y];
  const float* gk = g.at[blockIdx.y];
  eachElement(n, alignedForFour(uk, mk, gk), [&]<int width>(Width<width>, int64_t i) {
    const auto gradient = load<width>(gk + i);
    auto mean = load<width>(mk + i), update = mean;
    for (int j = 0; j < width; j++) {
      mean.at[j] = fresh * gradient.at[j] + beta * mean.at[j];
      update.at[j] = nesterov ? fresh * gradient.at[j] + beta * mean.at[j] : mean.at[j];
    }
    store(mk + i, mean);
    store(uk + i, update);
  });
}

__global__ void divideByRootKernel(float* y, const float* x, const float* s, float eps, int64_t n) {
  eachElement(n, alignedForFour(y, x, s), [&]<int width>(Width<width>, int64_t i) {
    auto p = load<width>(x + i);
    const auto q = load<width>(s + i);
    for (int j = 0; j < width; j++) p.at[j] /= sqrtf(q.at[j]) + eps;
    store(y + i, p);
  });
}

__global__ void lerpSquareKernel(float* s, const float* x, float w, int64_t n) {
  eachElement(n, alignedForFour(s, x), [&]<int width>(Width<width>, int64_t i) {
    const auto p = load<width>(x + i);
    auto q = load<width>(s + i);
    for (int j = 0; j < width; j++) q.at[j] += w * (p.at[j] * p.at[j] - q.at[j]);
    store(s + i, q);
  });
}

// Not (1 − decay)·w: rounding 1 − decay to fp32 would falsify a small decay (1e-5 by 0.3 %) the same way in every step.
__global__ void decayAndUpdateKernel(Addresses w, const float* u, int64_t stride, float decay, float eta, const float* scale,
                                     int64_t n) {
  float* wk = w.at[blockIdx.y];
  const float* uk = u + blockIdx.y * stride;
  const float factor = eta * scale[blockIdx.y];
  eachElement(n, alignedForFour(wk, uk), [&]<int width>(Width<width>, int64_t i) {
    auto weight = load<width>(wk + i);
    const auto update = load<width>(uk + i);
    for (int j = 0; j < width; j++) weight.at[j] -= decay * weight.at[j] + factor * update.at[j];
    store(wk + i, weight);
  });
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

__global__ void adamwKernel(float* w, float* m, float* s, const float* g, AdamFactors f, int64_t n) {
  eachElement(n, alignedForFour(w, m, s, g), [&]<int width>(Width<width>, int64_t i) {
    const auto gradient = load<width>(g + i);
    auto mean = load<width>(m + i), square = load<width>(s + i), weight = load<width>(w + i);
    for (int j = 0; j < width; j++) {
      const float x = gradient.at[j];
      mean.at[j] = f.beta1 * mean.at[j] + f.gain1 * x;
      square.at[j] = f.beta2 * square.at[j] + f.gain2 * x * x;
      weight.at[j] -= f.decay * weight.at[j] + f.factor * mean.at[j] / (sqrtf(square.at[j]) * f.rootFactor + f.eps);
    }
    store(m + i, mean);
    store(s + i, square);
    store(w + i, weight);
  });
}

}  // namespace

void CudaBackend::axpby(float* y, const float* x, float a, float b, int64_t n) {
  cuda::launch(stream_, axpbyKernel, gridForPass(stream_, n, 1), passThreads, 0, y, x, a, b, n);
}

void CudaBackend::momentum(Batch u, const ScatteredBatch& m, const ScatteredBatch& g, float beta, bool nesterov) {
  const auto fresh = static_cast<float>(1 - static_cast<double>(beta));
  const int64_t n = u.rows * u.cols;
  inLaunches(u.count, [&](int64_t first, int64_t count) {
    cuda::launch(stream_, momentumKernel, gridForPass(stream_, n, count), passThreads, 0, u.data + first * u.stride, u.stride,
                 addresses(m, first), addresses(g, first), beta, fresh, nesterov, n);
  });
}

void CudaBackend::divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) {
  cuda::launch(stream_, divideByRootKernel, gridForPass(stream_, n, 1), passThreads, 0, y, x, s, eps, n);
}

void CudaBackend::lerpSquare(float* s, const float* x, float w, int64_t n) {
  cuda::launch(stream_, lerpSquareKernel, gridForPass(stream_, n, 1), passThreads, 0, s, x, w, n);
}

void CudaBackend::scaled(float* y, const float* x, float a, const float* factor, int64_t n) {
  cuda::launch(stream_, scaledKernel, gridForPass(stream_, n, 1), passThreads, 0, y, x, a, factor, n);
}

void CudaBackend::decayAndUpdate(const ScatteredBatch& w, Batch u, float decay, float eta, const float* scale) {
  const int64_t n = u.rows * u.cols;
  inLaunches(u.count, [&](int64_t first, int64_t count) {
    cuda::launch(stream_, decayAndUpdateKernel, gridForPass(stream_, n, count), passThreads, 0, addresses(w, first),
                 u.data + first * u.stride, u.stride, decay, eta, scale + first, n);
  });
}

void CudaBackend::adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) {
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  const AdamFactors factors = {p.beta1, 1 - p.beta1, p.beta2, 1 - p.beta2, p.lr * p.weightDecay,
                               static_cast<float>(p.lr / correction1), static_cast<float>(1 / std::sqrt(correction2)), p.eps};
  cuda::launch(stream_, adamwKernel, gridForPass(stream_, n, 1), passThreads, 0, w, m, s, g, factors, n);
}

}  // namespace muonscope::cuda
