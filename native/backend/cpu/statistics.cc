// Sums and row statistics, accumulated in fp64. Parts are fixed blocks, rows or columns, never a thread's share, so
// that results do not depend on the number of threads.
#include <atomic>
#include <cmath>
#include <cstring>

#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"

namespace muonscope {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // floats; below this one thread is as fast
constexpr int64_t kBlock = 4 * 1024;   // floats of one partial sum
// Partial sums side by side: enough for four AVX-512 registers, which hides the latency of an addition.
constexpr int kLanes = 32;

int64_t blocksOf(int64_t n) { return (n + kBlock - 1) / kBlock; }
int64_t rowGrain(int64_t cols) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols)); }

MUONSCOPE_CLONES double sumSquaresPart(const float* x, int64_t n) {
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int k = 0; k < kLanes; k++) sums[k] += double(x[i + k]) * double(x[i + k]);
  for (int k = 0; i < n; i++, k++) sums[k] += double(x[i]) * double(x[i]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int k = 0; k < half; k++) sums[k] += sums[k + half];
  return sums[0];
}

MUONSCOPE_CLONES void addSquares(double* sums, const float* x, int64_t n) {
  for (int64_t j = 0; j < n; j++) sums[j] += double(x[j]) * double(x[j]);
}

MUONSCOPE_CLONES void multiply(float* y, const float* x, float factor, int64_t n) {
  for (int64_t j = 0; j < n; j++) y[j] = x[j] * factor;
}

MUONSCOPE_CLONES void multiplyEach(float* y, const float* x, const float* factors, int64_t n) {
  for (int64_t j = 0; j < n; j++) y[j] = x[j] * factors[j];
}

// An exponent of all ones is an infinity or a NaN.
MUONSCOPE_CLONES bool finitePart(const float* x, int64_t n) {
  constexpr uint32_t exponent = 0x7f800000;
  uint32_t found = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    found |= (bits & exponent) == exponent;
  }
  return found == 0;
}

}  // namespace

double CpuBackend::sumSquares(const float* x, int64_t n) {
  double out = 0;
  sumSquaresBatch(&out, {const_cast<float*>(x), 1, 1, n, n});
  return out;
}

void CpuBackend::sumSquaresBatch(double* out, Batch x) {
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

bool CpuBackend::allFinite(const float* x, int64_t n) {
  std::atomic<bool> finite{true};
  pool_.parallelFor(
      n,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end && finite.load(std::memory_order_relaxed); i += kGrain)
          if (!finitePart(x + i, std::min(kGrain, end - i))) finite.store(false, std::memory_order_relaxed);
      },
      kGrain);
  return finite.load();
}

void CpuBackend::rowMeanSquare(float* out, Matrix x) {
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++)
          out[i] = static_cast<float>(sumSquaresPart(x.data + i * x.cols, x.cols) / double(x.cols));
      },
      rowGrain(x.cols));
}

void CpuBackend::columnMeanSquare(float* out, Matrix x) {
  double* sums = scratch_.get<double>(x.cols);
  pool_.parallelFor(
      x.cols,
      [&](int64_t begin, int64_t end) {
        std::fill(sums + begin, sums + end, 0.0);
        for (int64_t i = 0; i < x.rows; i++) addSquares(sums + begin, x.data + i * x.cols + begin, end - begin);
        for (int64_t j = begin; j < end; j++) out[j] = static_cast<float>(sums[j] / double(x.rows));
      },
      rowGrain(x.rows));
}

void CpuBackend::scaleRows(Matrix y, Matrix x, const float* s, float eps) {
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) multiply(y.data + i * x.cols, x.data + i * x.cols, 1 / (std::sqrt(s[i]) + eps), x.cols);
      },
      rowGrain(x.cols));
}

void CpuBackend::scaleColumns(Matrix y, Matrix x, const float* s, float eps) {
  float* factors = scratch_.get<float>(x.cols);
  for (int64_t j = 0; j < x.cols; j++) factors[j] = 1 / (std::sqrt(s[j]) + eps);
  pool_.parallelFor(
      x.rows,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) multiplyEach(y.data + i * x.cols, x.data + i * x.cols, factors, x.cols);
      },
      rowGrain(x.cols));
}

}  // namespace muonscope
