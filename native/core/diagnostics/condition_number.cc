// κ = σ_max/σ_min.
#include <cmath>
#include <limits>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

// An eigenvalue of the fp64 Gram matrix is only known to min(rows, cols)·2⁻⁵²·λ_max (backward error of a symmetric
// eigensolver). A λ_min below that is a zero: the matrix is rank-deficient and κ infinite. At min = 768 the largest
// finite κ is 2.4e6; matrices that are rank-deficient up to fp32 rounding (σ_min/σ_max near 1e-8) fall below it.
void measure(const SquaredSingularValues& eigenvalues, Measurement& out) {
  const double smallest = eigenvalues.front(), largest = eigenvalues.back();
  const double zero = static_cast<double>(eigenvalues.size()) * std::numeric_limits<double>::epsilon() * largest;
  setScalar(out, smallest > zero ? std::sqrt(largest / smallest) : std::numeric_limits<double>::infinity());
}

}  // namespace

Diagnostic conditionNumber() {
  return {{.id = "condition_number",
           .title = "Condition number",
           .shape = "scalar",
           .unit = "",
           .taps = tapNames(),
           .defaultTaps = {"momentum", "orthogonalized", "update"},
           .logarithmic = true,
           .meaning = "Largest singular value over the smallest, from the eigenvalues of an fp64 Gram matrix; infinite where the "
                      "matrix is rank-deficient (smallest eigenvalue below min(rows, columns)·2⁻⁵² of the largest).",
           .source = "arXiv 2510.05491 Figure 1 (no formula given); σ_max/σ_min as in openai/parameter-golf PR #438"},
          nullptr, measure};
}

}  // namespace muonscope
