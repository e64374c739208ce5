// e_F = ‖OOᵀ − I‖_F/√r in the wide orientation, from the singular values.
#include <cmath>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

void measure(const SquaredSingularValues& squares, Measurement& out) {
  double sum = 0;
  for (const double square : squares) sum += (square - 1) * (square - 1);
  setScalar(out, std::sqrt(sum / static_cast<double>(squares.size())));
}

}  // namespace

Diagnostic orthogonalityError() {
  return {{.id = "orthogonality_error",
           .title = "Orthogonality error",
           .shape = "scalar",
           .unit = "",
           .taps = {"orthogonalized"},
           .defaultTaps = {"orthogonalized"},
           .logarithmic = true,
           .meaning = "How far the orthogonalised matrix is from an orthogonal one: ‖OOᵀ - I‖_F/√r, r the smaller side; 0 when exact, "
                      "1 for a matrix of zeros.",
           .source = "root mean square of σ² - 1 over the singular values"},
          nullptr, measure};
}

}  // namespace muonscope
