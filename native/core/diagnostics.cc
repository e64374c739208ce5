// Measures what was asked for when the optimizer shows it.
#include "core/diagnostics.h"

#include <algorithm>
#include <deque>
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

  void request(std::vector<MeasureRequest> requests, int64_t step) override {
    for (const MeasureRequest& request : requests) checkTap(findDiagnostic(request.channel).description, request.tap);
    requests_ = std::move(requests);
    step_ = step;
    seconds_ = 0;
  }

  bool wants(Tap tap, const std::string& tensor) const override {
    return std::any_of(requests_.begin(), requests_.end(), [&](const MeasureRequest& r) { return matches(r, tap, tensor); });
  }

  void show(Tap tap, const std::string& tensor, Matrix matrix) override {
    Sample sample(backend_, matrix);
    std::shared_ptr<Eigenvalues> eigenvalues;
    for (const MeasureRequest& request : requests_) {
      if (!matches(request, tap, tensor)) continue;
      const Diagnostic& diagnostic = findDiagnostic(request.channel);
      const double start = backend_.clock();
      Shown shown{&diagnostic, nullptr, {.step = step_, .channel = request.channel, .tap = request.tap, .tensor = tensor, .shape = diagnostic.description.shape}};
      if (diagnostic.measure) {
        diagnostic.measure(sample, shown.measurement);
      } else {
        if (!eigenvalues) eigenvalues = backend_.gramEigenvalues(matrix);
        shown.eigenvalues = eigenvalues;
      }
      shown.measurement.seconds = backend_.clock() - start;
      seconds_ += shown.measurement.seconds;
      shown_.push_back(std::move(shown));
    }
  }

  std::vector<Measurement> take(bool wait) override {
    requests_.clear();
    std::vector<Measurement> taken;
    for (; !shown_.empty() && (wait || shown_.front().known()); shown_.pop_front()) {
      Shown& first = shown_.front();
      if (first.eigenvalues) first.diagnostic->measureSpectrum(first.eigenvalues->get(), first.measurement);
      taken.push_back(std::move(first.measurement));
    }
    return taken;
  }

  int64_t pending() const override {
    return std::count_if(shown_.begin(), shown_.end(), [](const Shown& shown) { return !shown.known(); });
  }

  double seconds() const override { return seconds_; }

 private:
  static bool matches(const MeasureRequest& request, Tap tap, const std::string& tensor) {
    return request.tensor == tensor && request.tap == tapName(tap);
  }

  struct Shown {
    const Diagnostic* diagnostic;
    std::shared_ptr<Eigenvalues> eigenvalues;  // null where it was measured at once
    Measurement measurement;
    bool known() const { return !eigenvalues || eigenvalues->ready(); }
  };

  Backend& backend_;
  std::vector<MeasureRequest> requests_;
  int64_t step_ = 0;
  double seconds_ = 0;
  std::deque<Shown> shown_;  // and not taken
};

}  // namespace

std::unique_ptr<Diagnostics> makeDiagnostics(Backend& backend) { return std::make_unique<RequestedDiagnostics>(backend); }

}  // namespace muonscope
