// Histogram of log2 ρ over the rows (neurons).
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

constexpr int bins = 64;
constexpr double lowest = -4, highest = 4;
// log2 of the smallest positive fp32 number: what a row of zeros counts as in the moments, which stay finite.
constexpr double zeroRow = -149;

void measure(Sample& sample, Measurement& out) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double width = (highest - lowest) / bins;
  out.values.assign(bins + 2, 0.0);  // the first counts what lies below the range, the last what lies above
  out.edges = {-infinity};
  for (int i = 0; i <= bins; ++i) out.edges.push_back(lowest + i * width);
  out.edges.push_back(infinity);
  out.min = infinity;
  out.max = -infinity;
  for (const double rho : sample.neuronNorms()) {
    const double x = rho > 0 ? std::log2(rho) : zeroRow;
    const double bin = std::clamp(std::floor((x - lowest) / width) + 1, 0.0, bins + 1.0);
    out.values[static_cast<size_t>(bin)] += 1;
    out.min = std::min(out.min, x);
    out.max = std::max(out.max, x);
    out.count += 1;
    out.sum += x;
    out.sumSquares += x * x;
  }
}

}  // namespace

Diagnostic neuronNorm() {
  return {{.id = "neuron_norm",
           .title = "Neuron norms",
           .shape = "histogram",
           .unit = "log2 ρ",
           .taps = tapNames(),
           .defaultTaps = {"orthogonalized", "update"},
           .logarithmic = false,
           .meaning = "Lengths of the rows, one per output neuron, relative to their root mean square: ρ_i = ‖row_i‖·√rows/‖A‖_F, so "
                      "that 0 on the log2 axis is a row of usual length. 64 bins from -4 to 4, one below and one above; rows of zeros "
                      "are counted below.",
           .source = "arXiv 2510.05491 Figure 1 (per-neuron norms)"},
          measure};
}

}  // namespace muonscope
