// The optimizer step over P ranks: NorMuon, Muon (one pipeline with switches) for matrices, AdamW for the rest.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/knobs.h"
#include "core/ranks.h"
#include "core/taps.h"

namespace muonscope {

enum class Group { matrix, auxiliary };

struct Parameter {
  std::string name;
  Group group;
  Matrix weight;
  Matrix gradient;
};

// A tensor of optimizer state, by name, for checkpoints. Full (not per rank), so that a run may resume with another P.
struct StateTensor {
  std::string name;  // "momentum.blocks.0.mlp.up", "second_moment.…", "exp_avg.…", "exp_avg_sq.…"
  std::vector<int64_t> shape;
};

struct PhaseCost {
  std::string phase;  // reduce_scatter, momentum, gather, orthogonalize, scatter, normalize, apply
  int rank;
  double seconds;
  double bytes;  // moved between ranks
};

struct OptimizerReport {
  std::vector<PhaseCost> phases;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Applies the gradients. `lrScale` is the schedule's factor. `listener` may be null. `timed`: whether to tell the
  // seconds of the phases, which waits for each of them.
  virtual OptimizerReport step(double lrScale, TapListener* listener, bool timed) = 0;
  // Changes live knobs for the parameters whose name matches `scope` (glob with *); group as in Parameter.
  // Throws std::invalid_argument for an unknown knob, a bad value, one that is not live, or a scope that matches nothing.
  virtual void set(Group group, const KnobValues& values, const std::string& scope) = 0;
  virtual KnobValues values(const std::string& parameter) const = 0;
  virtual std::vector<StateTensor> state() const = 0;
  virtual std::vector<float> readState(const std::string& name) const = 0;  // host memory
  virtual void writeState(const std::string& name, const std::vector<float>& values) = 0;
  virtual int64_t stepCount() const = 0;
  virtual void setStepCount(int64_t steps) = 0;
};

// Throws std::invalid_argument for a factor that no schedule has.
void checkLrScale(double lrScale);

// `matrixKnobs` and `auxiliaryKnobs` override the preset's defaults. The parameters are in home's memory.
std::unique_ptr<Optimizer> makeOptimizer(const Ranks& ranks, std::vector<Parameter> parameters, const std::string& preset,
                                         const KnobValues& matrixKnobs, const KnobValues& auxiliaryKnobs);

}  // namespace muonscope
