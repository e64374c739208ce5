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

// The form that is faster for this shape. Tall and wide alike.
NewtonSchulzForm newtonSchulzForm(int64_t rows, int64_t cols);

class NewtonSchulz {
 public:
  explicit NewtonSchulz(Backend& backend) : backend_(backend) {}

  // Replaces each X of the batch by the scheme's polynomial of X/(safety·‖X‖_F); zero stays zero, and the result does
  // not depend on X's scale. Working memory: one batch of the same size and some of min(rows, cols)², kept between calls.
  void orthogonalize(Batch x, const NewtonSchulzScheme& scheme) { orthogonalize(x, scheme, newtonSchulzForm(x.rows, x.cols)); }
  void orthogonalize(Batch x, const NewtonSchulzScheme& scheme, NewtonSchulzForm form);

 private:
  void normalizeScale(Batch x, double safety);
  void direct(Batch x, const NewtonSchulzScheme& scheme);
  void gram(Batch x, const NewtonSchulzScheme& scheme);
  void polynomial(Batch z, Batch a, const NewtonSchulzStep& step);
  void apply(Batch y, Batch q, Batch x);

  Batch like(std::optional<DeviceBuffer>& buffer, int64_t count, int64_t rows, int64_t cols);

  Backend& backend_;
  std::optional<DeviceBuffer> other_, a_, z_, product_, q_;
};

}  // namespace muonscope
