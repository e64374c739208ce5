// All singular values.
#include <algorithm>
#include <cmath>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

void measure(const SquaredSingularValues& squares, Measurement& out) {
  for (auto square = squares.rbegin(); square != squares.rend(); ++square) out.values.push_back(std::sqrt(std::max(0.0, *square)));
}

}  // namespace

Diagnostic spectrum() {
  return {{.id = "spectrum",
           .title = "Singular values",
           .shape = "vector",
           .unit = "σ",
           .taps = tapNames(),
           .defaultTaps = {},
           .logarithmic = true,
           .meaning = "All singular values, largest first; those below 1e-8 of the largest are rounding.",
           .source = "arXiv 2510.05491 Figure 1 (singular values)"},
          nullptr, measure};
}

}  // namespace muonscope
