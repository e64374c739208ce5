// Measures what taps show, as asked.
#pragma once

#include <memory>
#include <vector>

#include "core/taps.h"

namespace muonscope {

class Diagnostics : public TapListener {
 public:
  virtual void request(std::vector<MeasureRequest> requests) = 0;  // for the next step; throws on an unknown channel or tap
  virtual std::vector<Measurement> take() = 0;                     // what the step yielded
};

std::unique_ptr<Diagnostics> makeDiagnostics(Backend& backend);

}  // namespace muonscope
