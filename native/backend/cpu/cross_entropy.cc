// Softmax, negative log-likelihood and its gradient in one pass over each row of logits.
#include <cmath>

#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/exponential.h"

namespace muonscope {
namespace {

constexpr int64_t kRowGrain = 8;

// losses[i] = log Σ_j e^x_ij − x_i,target. With `gradient`, x_ij becomes factor·(softmax(x_i)_j − [j = target]).
MUONSCOPE_CLONES
void rowLosses(double* losses, float* x, const int32_t* targets, int64_t rows, int64_t cols, bool gradient,
               float factor) {
  for (int64_t i = 0; i < rows; i++, x += cols) {
    float largest = x[0];
#pragma omp simd reduction(max : largest)
    for (int64_t j = 0; j < cols; j++) largest = x[j] > largest ? x[j] : largest;
    const float atTarget = x[targets[i]];
    float sum = 0;
    if (gradient) {
#pragma omp simd reduction(+ : sum)
      for (int64_t j = 0; j < cols; j++) {
        x[j] = exponential(x[j] - largest);
        sum += x[j];
      }
      const float scale = factor / sum;
#pragma omp simd
      for (int64_t j = 0; j < cols; j++) x[j] *= scale;
      x[targets[i]] -= factor;
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t j = 0; j < cols; j++) sum += exponential(x[j] - largest);
    }
    losses[i] = std::log(static_cast<double>(sum)) + largest - atTarget;
  }
}

}  // namespace

void CpuBackend::crossEntropy(double* loss, ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) {
  double* losses = scratch_.get<double>(logits.rows);
  const float factor = scale / static_cast<float>(logits.rows);
  pool_.parallelFor(
      logits.rows,
      [&](int64_t begin, int64_t end) {
        rowLosses(losses + begin, fp32(logits).data + begin * logits.cols, targets + begin, end - begin, logits.cols,
                  gradient, factor);
      },
      kRowGrain);
  // In the order of the rows, so that the mean does not depend on the number of threads.
  double sum = 0;
  for (int64_t i = 0; i < logits.rows; i++) sum += losses[i];
  *loss = sum / static_cast<double>(logits.rows);
}

}  // namespace muonscope
