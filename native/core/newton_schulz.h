// Newton–Schulz orthogonalisation: an odd polynomial of the singular values, by matrix products alone.
#pragma once

#include <optional>

#include "backend/backend.h"
#include "core/device_buffer.h"
#include "core/newton_schulz_schemes.h"

namespace muonscope {

// Norms are divided by, no smaller than this: a guard that does not depend on scale, since nothing but zero (and fp32
// numbers as good as zero) lies below it.
constexpr double smallestNorm = 1e-30;

// Which products compute the iteration. Both give the same polynomial up to rounding.
enum class NewtonSchulzForm {
  direct,  // X ← (aI + bA + cA²)·X with A = X·Xᵀ, each step
  gram,    // the steps on A alone, collected in Q, and X ← Q·X now and then: fewer products on a long matrix
};

class NewtonSchulz {
 public:
  explicit NewtonSchulz(Backend& backend) : backend_(backend) {}

  // Replaces each X of the batch by the scheme's polynomial of X/(safety·‖X‖_F); zero stays zero, and the result does
  // not depend on X's scale. In the form that the backend prefers for the shape, unless one is given.
  void orthogonalize(Batch x, const NewtonSchulzScheme& scheme) { orthogonalize(x, scheme, formFor(x.rows, x.cols)); }
  void orthogonalize(Batch x, const NewtonSchulzScheme& scheme, NewtonSchulzForm form);

  // Allocates what a batch of `count` such matrices takes: two batches in the compute type, and two (direct) or four of
  // min(rows, cols)². Done by the first use otherwise; kept between calls.
  void reserve(int64_t count, int64_t rows, int64_t cols) { reserve(count, rows, cols, formFor(rows, cols)); }

 private:
  NewtonSchulzForm formFor(int64_t rows, int64_t cols) const {
    return backend_.prefersGram(rows, cols) ? NewtonSchulzForm::gram : NewtonSchulzForm::direct;
  }
  void reserve(int64_t count, int64_t rows, int64_t cols, NewtonSchulzForm form);
  // Both begin with the matrices in `from` and return where the result is: `from` or `to`.
  ComputeBatch direct(ComputeBatch from, ComputeBatch to, const NewtonSchulzScheme& scheme);
  ComputeBatch gram(ComputeBatch from, ComputeBatch to, const NewtonSchulzScheme& scheme);
  void polynomial(ComputeBatch z, ComputeBatch a, const NewtonSchulzStep& step) { backend_.polynomial(z, a, step.a, step.b, step.c); }
  void apply(ComputeBatch y, ComputeBatch q, ComputeBatch x);

  ComputeBatch like(std::optional<DeviceBuffer>& buffer, int64_t count, int64_t rows, int64_t cols);

  Backend& backend_;
  std::optional<DeviceBuffer> x_, other_, a_, z_, product_, q_;
};

}  // namespace muonscope
