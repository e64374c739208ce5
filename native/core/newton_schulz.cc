#include "core/newton_schulz.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace muonscope {
namespace {

// In Gram form, how many steps are taken on A before it is formed anew from X: rounding errors of A grow on the way.
// Measured against fp64 over flat, geometric and two-level spectra: with 3 (so 3 + 2 for five steps) the relative error
// stays within a few times that of the direct form, 1e-6 to 1e-5 up to κ = 100 and below 2e-4 for all. 2 + 3, as
// gram-newton-schulz restarts, has 2e-5 to 5e-5 at κ = 100 (Polar Express).
constexpr size_t phase = 3;

// Where the Gram form is faster (measured, 2 Zen 4 cores: time against the direct form 0.64 at 4:1 and 0.73 at 3:1 for
// k = 768, 0.85 at 2:1, 1.1 for squares; 0.70 at 64×256, and nothing to gain on smaller ones).
constexpr int64_t gramRatio = 2, gramSmallest = 64;

Side shorter(Batch x) { return x.rows <= x.cols ? Side::rows : Side::columns; }

}  // namespace

NewtonSchulzForm newtonSchulzForm(int64_t rows, int64_t cols) {
  const int64_t shorterSide = std::min(rows, cols), longerSide = std::max(rows, cols);
  return shorterSide >= gramSmallest && longerSide >= gramRatio * shorterSide ? NewtonSchulzForm::gram : NewtonSchulzForm::direct;
}

Batch NewtonSchulz::like(std::optional<DeviceBuffer>& buffer, int64_t count, int64_t rows, int64_t cols) {
  const int64_t size = count * rows * cols;
  if (!buffer || buffer->size() < size) {
    buffer.reset();
    buffer.emplace(backend_, size);
  }
  return {buffer->data(), count, rows, cols, rows * cols};
}

void NewtonSchulz::normalizeScale(Batch x, double safety) {
  std::vector<double> squares(static_cast<size_t>(x.count));
  backend_.sumSquaresBatch(squares.data(), x);
  for (int64_t i = 0; i < x.count; ++i) {
    const double norm = std::max(std::sqrt(squares[static_cast<size_t>(i)]) * safety, smallestNorm);
    backend_.axpby(x[i].data, x[i].data, static_cast<float>(1 / norm), 0, x.rows * x.cols);
  }
}

void NewtonSchulz::orthogonalize(Batch x, const NewtonSchulzScheme& scheme, NewtonSchulzForm form) {
  if (x.count == 0) return;
  normalizeScale(x, scheme.safety);
  form == NewtonSchulzForm::gram ? gram(x, scheme) : direct(x, scheme);
}

// z = a·I + b·A + c·A²
void NewtonSchulz::polynomial(Batch z, Batch a, const NewtonSchulzStep& step) {
  backend_.axpby(z.data, a.data, static_cast<float>(step.b), 0, a.count * a.stride);
  backend_.gramBatch(z, a, Side::rows, static_cast<float>(step.c), 1);
  backend_.addDiagonalBatch(z, static_cast<float>(step.a));
}

// y = q·x, or x·q for tall matrices
void NewtonSchulz::apply(Batch y, Batch q, Batch x) {
  if (shorter(x) == Side::rows) {
    backend_.matmulBatch(y, q, false, x, false, 1, 0);
  } else {
    backend_.matmulBatch(y, x, false, q, false, 1, 0);
  }
}

void NewtonSchulz::direct(Batch x, const NewtonSchulzScheme& scheme) {
  const int64_t k = std::min(x.rows, x.cols);
  const Batch a = like(a_, x.count, k, k), z = like(z_, x.count, k, k);
  Batch from = x, to = like(other_, x.count, x.rows, x.cols);
  for (const NewtonSchulzStep& step : scheme.steps) {
    backend_.gramBatch(a, from, shorter(x), 1, 0);
    polynomial(z, a, step);
    apply(to, z, from);
    std::swap(from, to);
  }
  if (from.data != x.data) backend_.copy(x.data, from.data, x.count * x.stride);
}

void NewtonSchulz::gram(Batch x, const NewtonSchulzScheme& scheme) {
  const int64_t k = std::min(x.rows, x.cols);
  Batch a = like(a_, x.count, k, k), z = like(z_, x.count, k, k), product = like(product_, x.count, k, k), q = like(q_, x.count, k, k);
  Batch from = x, to = like(other_, x.count, x.rows, x.cols);
  const auto congruence = [&](Batch factor) {  // A ← F·A·F
    backend_.symmetricBatch(product, factor, a);
    backend_.symmetricBatch(a, product, factor);
  };
  for (size_t start = 0; start < scheme.steps.size(); start += phase) {
    const size_t end = std::min(start + phase, scheme.steps.size());
    backend_.gramBatch(a, from, shorter(x), 1, 0);
    polynomial(q, a, scheme.steps[start]);
    if (start + 1 < end) congruence(q);
    for (size_t i = start + 1; i < end; ++i) {
      polynomial(z, a, scheme.steps[i]);
      backend_.symmetricBatch(product, z, q);
      std::swap(q, product);
      if (i + 1 < end) congruence(z);
    }
    apply(to, q, from);
    std::swap(from, to);
  }
  if (from.data != x.data) backend_.copy(x.data, from.data, x.count * x.stride);
}

}  // namespace muonscope
