// Sums of squares and what is made of them, accumulated in fp64. Parts are fixed blocks, never a thread's share, so that
// results do not depend on the number of threads.
#include <algorithm>
#include <cmath>

#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/sum_squares.h"

namespace muonscope {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // floats; below this one thread is as fast
constexpr int64_t kBlock = 4 * 1024;   // floats of one partial sum
// Partial sums side by side: enough for four AVX-512 registers, which hides the latency of an addition.
constexpr int kLanes = 32;

int64_t blocksOf(int64_t n) { return (n + kBlock - 1) / kBlock; }

MUONSCOPE_CLONES double sumSquaresClones(const float* x, int64_t n) {
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int k = 0; k < kLanes; k++) sums[k] += double(x[i + k]) * double(x[i + k]);
  for (int k = 0; i < n; i++, k++) sums[k] += double(x[i]) * double(x[i]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int k = 0; k < half; k++) sums[k] += sums[k + half];
  return sums[0];
}

}  // namespace

double sumSquaresPart(const float* x, int64_t n) { return sumSquaresClones(x, n); }

void CpuBackend::sumSquares(double* out, Batch x) {
  const int64_t n = x.rows * x.cols, blocks = blocksOf(n);
  double* partial = scratch_.get<double>(x.count * blocks);
  pool_.parallelFor(
      x.count * blocks,
      [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; b++) {
          const int64_t first = b % blocks * kBlock;
          partial[b] = sumSquaresPart(x[b / blocks].data + first, std::min(kBlock, n - first));
        }
      },
      kGrain / kBlock);
  for (int64_t i = 0; i < x.count; i++) {
    out[i] = 0;
    for (int64_t b = 0; b < blocks; b++) out[i] += partial[i * blocks + b];
  }
}

void CpuBackend::sumSquares(double* out, const std::vector<Matrix>& x) {
  for (const Matrix& m : x) sumSquares(out++, Batch{m.data, 1, m.rows, m.cols, m.size()});
}

void CpuBackend::addDoubles(double* y, const double* x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void CpuBackend::updateScale(float* scale, const double* before, const double* after, double target, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    scale[i] = after[i] > 0 ? static_cast<float>(target * (before ? std::sqrt(before[i]) : 1) / std::sqrt(after[i])) : 0;
}

void CpuBackend::clip(const std::vector<Matrix>& gradients, const double* squares, int64_t n, double limit) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += squares[i];
  if (std::sqrt(sum) <= limit) return;
  // As torch.nn.utils.clip_grad_norm_, whose 1e-6 guards a norm of zero.
  const auto factor = static_cast<float>(limit / (std::sqrt(sum) + 1e-6));
  for (const Matrix& g : gradients) axpby(g.data, g.data, factor, 0, g.size());
}

void CpuBackend::normalize(ComputeBatch y, Batch x, double target, double smallest) { normalize(fp32(y), x, target, smallest); }

void CpuBackend::normalize(Batch y, Batch x, double target, double smallest) {
  std::vector<double> squares(static_cast<size_t>(x.count));
  sumSquares(squares.data(), x);
  for (int64_t i = 0; i < x.count; i++)
    axpby(y[i].data, x[i].data, static_cast<float>(target / std::max(std::sqrt(squares[static_cast<size_t>(i)]), smallest)), 0, x.rows * x.cols);
}

}  // namespace muonscope
