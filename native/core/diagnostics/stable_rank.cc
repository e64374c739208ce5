// ‖A‖_F²/σ_max².
#include <numeric>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

void measure(const SquaredSingularValues& squares, Measurement& out) {
  const double largest = squares.back();
  setScalar(out, largest > 0 ? std::accumulate(squares.begin(), squares.end(), 0.0) / largest : 0);
}

}  // namespace

Diagnostic stableRank() {
  return {{.id = "stable_rank",
           .title = "Stable rank",
           .shape = "scalar",
           .unit = "",
           .taps = tapNames(),
           .defaultTaps = {"momentum"},
           .logarithmic = false,
           .meaning = "‖A‖_F²/σ_max²: how many directions share the matrix's size, from 1 to the smaller side; 0 for a matrix of zeros.",
           .source = "Rudelson and Vershynin 2007, §1"},
          nullptr, measure};
}

}  // namespace muonscope
