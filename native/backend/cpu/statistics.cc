// Statistics of rows and columns, accumulated in fp64, and what is divided by them. Parts are whole rows or columns, so
// that results do not depend on the number of threads.
#include <algorithm>
#include <cmath>

#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/sum_squares.h"

namespace muonscope {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // floats; below this one thread is as fast

int64_t rowGrain(int64_t cols) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols)); }

float meanSquare(const float* x, int64_t n) { return static_cast<float>(sumSquaresPart(x, n) / double(n)); }

MUONSCOPE_CLONES void addSquares(double* sums, const float* x, int64_t n) {
  for (int64_t j = 0; j < n; j++) sums[j] += double(x[j]) * double(x[j]);
}

MUONSCOPE_CLONES void scaleRow(float* x, float factor, int64_t n) {
  for (int64_t j = 0; j < n; j++) x[j] *= factor;
}

MUONSCOPE_CLONES void multiplyEach(float* x, const float* factors, int64_t n) {
  for (int64_t j = 0; j < n; j++) x[j] *= factors[j];
}

// body(row, its index) for every row of a batch.
template <class Body>
void eachRow(ThreadPool& pool, Batch x, const Body& body) {
  pool.parallelFor(
      x.count * x.rows,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) body(x[i / x.rows].data + i % x.rows * x.cols, i);
      },
      rowGrain(x.cols));
}

}  // namespace

void CpuBackend::rowMeanSquare(float* out, Batch x) {
  eachRow(pool_, x, [&](const float* row, int64_t i) { out[i] = meanSquare(row, x.cols); });
}

void CpuBackend::columnMeanSquare(float* out, Batch x) {
  double* sums = scratch_.get<double>(x.cols);
  for (int64_t k = 0; k < x.count; k++)
    pool_.parallelFor(
        x.cols,
        [&](int64_t begin, int64_t end) {
          std::fill(sums + begin, sums + end, 0.0);
          for (int64_t i = 0; i < x.rows; i++) addSquares(sums + begin, x[k].data + i * x.cols + begin, end - begin);
          for (int64_t j = begin; j < end; j++) out[k * x.cols + j] = static_cast<float>(sums[j] / double(x.rows));
        },
        rowGrain(x.rows));
}

void CpuBackend::scaleColumns(Batch x, const float* s, float eps) {
  float* factors = scratch_.get<float>(x.count * x.cols);
  for (int64_t j = 0; j < x.count * x.cols; j++) factors[j] = 1 / (std::sqrt(s[j]) + eps);
  eachRow(pool_, x, [&](float* row, int64_t i) { multiplyEach(row, factors + i / x.rows * x.cols, x.cols); });
}

void CpuBackend::normalizeRows(Batch x, float* v, float beta, float eps, bool divide) {
  const auto fresh = static_cast<float>(1 - static_cast<double>(beta));
  eachRow(pool_, x, [&](float* row, int64_t i) {
    v[i] = fresh * meanSquare(row, x.cols) + beta * v[i];
    if (divide) scaleRow(row, 1 / (std::sqrt(v[i]) + eps), x.cols);
  });
}

}  // namespace muonscope
