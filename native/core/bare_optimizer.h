// An optimizer over matrices of its own, without a model: what golden trajectories and benchmarks drive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/device_buffer.h"
#include "core/host_tensor.h"
#include "core/optimizer.h"

namespace muonscope {

struct BareOptimizerConfig {
  struct InitialParameter {
    HostTensor weight;  // two dimensions
    Group group;
  };
  std::string backend;
  BackendOptions options;
  std::string preset;
  KnobValues matrixKnobs, auxiliaryKnobs;
  int ranks;
  std::vector<InitialParameter> parameters;
};

struct BareStepResult {
  double seconds;  // of the optimizer alone
  std::vector<PhaseCost> phases;  // without seconds where the step was prepared and launched
};

class BareOptimizer {
 public:
  explicit BareOptimizer(const BareOptimizerConfig& config);

  // One gradient for each parameter, by name. Throws std::invalid_argument, changing nothing, when they do not fit, and for an
  // lrScale that is not finite or below 0.
  BareStepResult step(const std::vector<HostTensor>& gradients, double lrScale);
  void set(Group group, const KnobValues& values, const std::string& scope) {
    optimizer_->set(group, values, scope);
    settled_ = false;
  }
  std::vector<float> weight(const std::string& name) const;
  std::vector<std::string> stateNames() const;
  std::vector<float> state(const std::string& name) const;

 private:
  const Parameter& find(const std::string& name) const;

  std::unique_ptr<Backend> backend_;
  const Ranks ranks_;
  std::vector<DeviceBuffer> memory_;
  std::vector<Parameter> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  bool settled_ = false;  // as Engine's
};

}  // namespace muonscope
