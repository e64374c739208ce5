// Root mean square of the entries.
#include <cmath>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

void measure(Sample& sample, Measurement& out) {
  setScalar(out, std::sqrt(sample.sumSquares() / (static_cast<double>(sample.rows()) * static_cast<double>(sample.cols()))));
}

}  // namespace

Diagnostic updateRms() {
  return {{.id = "update_rms",
           .title = "Update RMS",
           .shape = "scalar",
           .unit = "",
           .taps = {"update"},
           .defaultTaps = {"update"},
           .logarithmic = true,
           .meaning = "Root mean square of what the step subtracts from the weights, decay excluded; 0.2·lr with scale \"paper\".",
           .source = "arXiv 2510.05491 Algorithm 1, line 10; MoonshotAI/Moonlight, Algorithm 1"},
          measure};
}

}  // namespace muonscope
