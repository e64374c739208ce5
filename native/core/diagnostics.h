// Measures what taps show, as asked.
#pragma once

#include <memory>
#include <vector>

#include "core/taps.h"

namespace muonscope {

class Diagnostics : public TapListener {
 public:
  // For step number `step`, the next one; throws on an unknown channel or tap.
  virtual void request(std::vector<MeasureRequest> requests, int64_t step) = 0;
  // What is known and was not taken yet, in the order in which it was shown; `wait`: all that was shown.
  virtual std::vector<Measurement> take(bool wait) = 0;
  // How many measurements are not known yet.
  virtual int64_t pending() const = 0;
  // What showing took the step that was requested last.
  virtual double seconds() const = 0;
};

std::unique_ptr<Diagnostics> makeDiagnostics(Backend& backend);

}  // namespace muonscope
