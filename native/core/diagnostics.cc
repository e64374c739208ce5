// Measures what was asked for when the optimizer shows it.
#include "core/diagnostics.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

const Diagnostic& findDiagnostic(const std::string& channel) {
  std::vector<std::string> known;
  for (const Diagnostic& diagnostic : diagnosticList()) {
    if (diagnostic.description.id == channel) return diagnostic;
    known.push_back(diagnostic.description.id);
  }
  throw std::invalid_argument("Unknown diagnostic \"" + channel + "\": did you mean \"" + nearestName(channel, known) + "\"?");
}

void checkTap(const DiagnosticDescription& description, const std::string& tap) {
  if (std::find(description.taps.begin(), description.taps.end(), tap) != description.taps.end()) return;
  std::string text;
  for (const std::string& known : description.taps) text += (text.empty() ? "" : ", ") + known;
  throw std::invalid_argument(description.id + ": expected one of the taps " + text + ", got \"" + tap + "\".");
}

class RequestedDiagnostics final : public Diagnostics {
 public:
  explicit RequestedDiagnostics(Backend& backend) : backend_(backend) {}

  void request(std::vector<MeasureRequest> requests) override {
    for (const MeasureRequest& request : requests) checkTap(findDiagnostic(request.channel).description, request.tap);
    requests_ = std::move(requests);
    measurements_.clear();
  }

  bool wants(Tap tap, const std::string& tensor) const override {
    return std::any_of(requests_.begin(), requests_.end(), [&](const MeasureRequest& r) { return matches(r, tap, tensor); });
  }

  void show(Tap tap, const std::string& tensor, Matrix matrix) override {
    Sample sample(backend_, matrix);
    for (const MeasureRequest& request : requests_) {
      if (!matches(request, tap, tensor)) continue;
      const Diagnostic& diagnostic = findDiagnostic(request.channel);
      const double start = backend_.clock();
      Measurement measurement{.channel = request.channel, .tap = request.tap, .tensor = tensor, .shape = diagnostic.description.shape};
      diagnostic.measure(sample, measurement);
      measurement.seconds = backend_.clock() - start;
      measurements_.push_back(std::move(measurement));
    }
  }

  std::vector<Measurement> take() override {
    requests_.clear();
    return std::exchange(measurements_, {});
  }

 private:
  static bool matches(const MeasureRequest& request, Tap tap, const std::string& tensor) {
    return request.tensor == tensor && request.tap == tapName(tap);
  }

  Backend& backend_;
  std::vector<MeasureRequest> requests_;
  std::vector<Measurement> measurements_;
};

}  // namespace

std::unique_ptr<Diagnostics> makeDiagnostics(Backend& backend) { return std::make_unique<RequestedDiagnostics>(backend); }

}  // namespace muonscope
