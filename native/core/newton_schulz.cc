#include "core/newton_schulz.h"

#include <algorithm>
#include <utility>

namespace muonscope {
namespace {

// In Gram form, how many steps are taken on A before it is formed anew from X: rounding errors of A grow on the way.
// Measured against fp64 over flat, geometric and two-level spectra: with 3 (so 3 + 2 for five steps) the relative error
// stays within a few times that of the direct form, 1e-6 to 1e-5 up to κ = 100 and below 2e-4 for all. 2 + 3, as
// gram-newton-schulz restarts, has 2e-5 to 5e-5 at κ = 100 (Polar Express).
constexpr size_t phase = 3;

Side shorter(ComputeBatch x) { return x.rows <= x.cols ? Side::rows : Side::columns; }

}  // namespace

ComputeBatch NewtonSchulz::like(std::optional<DeviceBuffer>& buffer, int64_t count, int64_t rows, int64_t cols) {
  const int64_t floats = computeFloats(backend_, count * rows * cols);
  if (!buffer || buffer->size() < floats) {
    buffer.reset();
    buffer.emplace(backend_, floats);
  }
  return {buffer->data(), count, rows, cols};
}

void NewtonSchulz::reserve(int64_t count, int64_t rows, int64_t cols, NewtonSchulzForm form) {
  const int64_t k = std::min(rows, cols);
  for (auto* buffer : {&x_, &other_}) like(*buffer, count, rows, cols);
  for (auto* buffer : {&a_, &z_}) like(*buffer, count, k, k);
  if (form == NewtonSchulzForm::gram)
    for (auto* buffer : {&product_, &q_}) like(*buffer, count, k, k);
}

void NewtonSchulz::orthogonalize(Batch x, const NewtonSchulzScheme& scheme, NewtonSchulzForm form) {
  if (x.count == 0) return;
  reserve(x.count, x.rows, x.cols, form);
  const ComputeBatch from = like(x_, x.count, x.rows, x.cols), to = like(other_, x.count, x.rows, x.cols);
  backend_.normalize(from, x, 1 / scheme.safety, smallestNorm / scheme.safety);
  backend_.fromCompute(x, form == NewtonSchulzForm::gram ? gram(from, to, scheme) : direct(from, to, scheme));
}

// y = q·x, or x·q for tall matrices
void NewtonSchulz::apply(ComputeBatch y, ComputeBatch q, ComputeBatch x) {
  shorter(x) == Side::rows ? backend_.multiply(y, q, x) : backend_.multiply(y, x, q);
}

ComputeBatch NewtonSchulz::direct(ComputeBatch from, ComputeBatch to, const NewtonSchulzScheme& scheme) {
  const int64_t k = std::min(from.rows, from.cols);
  const ComputeBatch a = like(a_, from.count, k, k), z = like(z_, from.count, k, k);
  for (const NewtonSchulzStep& step : scheme.steps) {
    backend_.gram(a, from, shorter(from));
    polynomial(z, a, step);
    apply(to, z, from);
    std::swap(from, to);
  }
  return from;
}

ComputeBatch NewtonSchulz::gram(ComputeBatch from, ComputeBatch to, const NewtonSchulzScheme& scheme) {
  const int64_t k = std::min(from.rows, from.cols);
  ComputeBatch a = like(a_, from.count, k, k), z = like(z_, from.count, k, k), product = like(product_, from.count, k, k),
               q = like(q_, from.count, k, k);
  const auto congruence = [&](ComputeBatch factor) {  // A ← F·A·F
    backend_.symmetric(product, factor, a);
    backend_.symmetric(a, product, factor);
  };
  for (size_t start = 0; start < scheme.steps.size(); start += phase) {
    const size_t end = std::min(start + phase, scheme.steps.size());
    backend_.gram(a, from, shorter(from));
    polynomial(q, a, scheme.steps[start]);
    if (start + 1 < end) congruence(q);
    for (size_t i = start + 1; i < end; ++i) {
      polynomial(z, a, scheme.steps[i]);
      backend_.symmetric(product, z, q);
      std::swap(q, product);
      if (i + 1 < end) congruence(z);
    }
    apply(to, q, from);
    std::swap(from, to);
  }
  return from;
}

}  // namespace muonscope
