// Parameters that one rule updates: what the optimizer asks of the matrix pipeline and of AdamW alike.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/knobs.h"
#include "core/optimizer.h"
#include "core/shard.h"
#include "core/step_costs.h"
#include "core/taps.h"

namespace muonscope {

struct GroupState {
  StateTensor tensor;
  ShardedTensor shards;
};

class ParameterGroup {
 public:
  virtual ~ParameterGroup() = default;
  // Throws std::invalid_argument when the values contradict each other.
  virtual void check(const KnobValues& values) const = 0;
  // Takes over a complete set of values for the parameter at `index`.
  virtual void configure(size_t index, const KnobValues& values) = 0;
  // `number` counts steps from 1. All lanes have forked from home, and are joined afterwards.
  virtual void step(double lrScale, int64_t number, TapListener* listener, StepCosts& costs) = 0;
  virtual std::vector<GroupState> state() const = 0;
};

// `values`: one complete set for each parameter.
std::unique_ptr<ParameterGroup> makeMatrixGroup(const Ranks& ranks, std::vector<Parameter> parameters, const std::vector<KnobValues>& values);
std::unique_ptr<ParameterGroup> makeAdamWGroup(const Ranks& ranks, std::vector<Parameter> parameters, const std::vector<KnobValues>& values);

}  // namespace muonscope
