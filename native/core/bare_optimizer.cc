#include "core/bare_optimizer.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/backends.h"

namespace muonscope {

BareOptimizer::BareOptimizer(const BareOptimizerConfig& config) 
    : backend_(makeBackend(config.backend, config.options)), ranks_(*backend_, config.options.devices(), config.ranks) {
  for (const auto& [weight, group] : config.parameters) {
    if (weight.shape.size() != 2 || weight.shape[0] < 1 || weight.shape[1] < 1)
      throw std::invalid_argument("parameter " + weight.name + ": expected a matrix with at least one entry, received shape " +
                                  shapeText(weight.shape));
    const bool repeated =
        std::any_of(parameters_.begin(), parameters_.end(), [&](const Parameter& p) { return p.name == weight.name; });
    if (repeated) throw std::invalid_argument("parameter " + weight.name + ": expected each name once, received it twice");
    const auto at = [&](DeviceBuffer& buffer) { return Matrix{buffer.data(), weight.shape[0], weight.shape[1]}; };
    const auto size = static_cast<int64_t>(weight.data.size());
    const Matrix w = at(memory_.emplace_back(*backend_, size)), g = at(memory_.emplace_back(*backend_, size));
    backend_->upload(w.data, weight.data.data(), size);
    parameters_.push_back({weight.name, group, w, g});
  }
  optimizer_ = makeOptimizer(ranks_, parameters_, config.preset, config.matrixKnobs, config.auxiliaryKnobs);
}

const Parameter& BareOptimizer::find(const std::string& name) const {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(), [&](const Parameter& p) { return p.name == name; });
  if (found == parameters_.end())
    throw std::invalid_argument("expected the name of a parameter, received \"" + name + "\"");
  return *found;
}

BareStepResult BareOptimizer::step(const std::vector<HostTensor>& gradients, double lrScale) {
  checkLrScale(lrScale);
  std::set<std::string> received;
  for (const auto& g : gradients) {
    const Matrix expected = find(g.name).gradient;
    if (g.shape != std::vector<int64_t>{expected.rows, expected.cols})
      throw std::invalid_argument("gradient " + g.name + ": expected shape " + shapeText({expected.rows, expected.cols}) +
                                  ", received " + shapeText(g.shape));
    received.insert(g.name);
  }
  if (received.size() != parameters_.size() || gradients.size() != parameters_.size())
    throw std::invalid_argument("gradients: expected one for each of the " + std::to_string(parameters_.size()) +
                                " parameters, received " + std::to_string(gradients.size()) + " for " +
                                std::to_string(received.size()));
  for (const auto& g : gradients) backend_->upload(find(g.name).gradient.data, g.data.data(), static_cast<int64_t>(g.data.size()));
  OptimizerReport report;
  const auto apply = [&](bool timed) { report = optimizer_->step(lrScale, nullptr, timed); };
  if (settled_) backend_->prepare([&] { apply(backend_->timesPreparedWork()); });
  const double start = backend_->clock();
  settled_ ? backend_->launch() : apply(true);
  settled_ = true;
  return {backend_->clock() - start, std::move(report.phases)};
}

std::vector<float> BareOptimizer::weight(const std::string& name) const {
  const Matrix w = find(name).weight;
  std::vector<float> values(static_cast<size_t>(w.size()));
  backend_->download(values.data(), w.data, w.size());
  return values;
}

std::vector<std::string> BareOptimizer::stateNames() const {
  std::vector<std::string> names;
  for (const auto& tensor : optimizer_->state()) names.push_back(tensor.name);
  return names;
}

std::vector<float> BareOptimizer::state(const std::string& name) const {
  const auto names = stateNames();
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw std::invalid_argument("state: expected one of stateNames(), received \"" + name + "\"");
  return optimizer_->readState(name);
}

}  // namespace muonscope
