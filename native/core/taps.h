// Taps: named places in a step at which the optimizer shows a matrix to whoever listens.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"

namespace muonscope {

// gradient: as the backward pass left it. momentum: after its update (Adam: the first moment). orthogonalized: O, or
// the raw direction while orthogonalisation is off. normalized: what the division by the second moment yields, of O
// or (place before) of the momentum; the same matrix undivided while normalisation is off. update: what is subtracted
// from the weights, learning rate and scale included, decay not. weight: after the step.
enum class Tap { gradient, momentum, orthogonalized, normalized, update, weight };

std::string tapName(Tap tap);
const std::vector<std::string>& tapNames();

class TapListener {
 public:
  virtual ~TapListener() = default;
  // Asked before work is spent on showing a matrix.
  virtual bool wants(Tap tap, const std::string& tensor) const = 0;
  // The matrix is only valid during the call.
  virtual void show(Tap tap, const std::string& tensor, Matrix matrix) = 0;
};

// One value that a diagnostic yields; `values` holds 1 number (scalar), the vector, or a histogram's bins.
struct Measurement {
  int64_t step;         // at which it was shown
  std::string channel;  // DiagnosticDescription::id
  std::string tap;
  std::string tensor;
  std::string shape;  // "scalar" | "histogram" | "vector"
  std::vector<double> values = {};
  // histogram only: bins+1 edges (first −inf, last +inf possible), then the moments TensorBoard keeps
  std::vector<double> edges = {};
  double min = 0, max = 0, count = 0, sum = 0, sumSquares = 0;
  double seconds = 0;  // what measuring it cost the step
};

// What to measure in one step.
struct MeasureRequest {
  std::string channel;
  std::string tap;
  std::string tensor;
};

}  // namespace muonscope
