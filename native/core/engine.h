// One training engine: model, optimizer and diagnostics on a backend. Not thread-safe: one call at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "core/host_tensor.h"
#include "core/model.h"
#include "core/optimizer.h"

namespace muonscope {

struct EngineConfig {
  std::string backend;  // "auto", "cpu", "cuda"
  BackendOptions options;
  uint64_t seed;
  ModelConfig model;
  int64_t batch;        // sequences in a micro-batch
  std::string preset;
  KnobValues matrixKnobs, auxiliaryKnobs;  // overrides of the preset's
  int ranks;  // dealt to options.devices() in turn; the model is on the first
};

struct StepOptions {
  double lrScale = 1;  // the schedule's factor, ≥ 0
  double clip = 0;     // largest gradient norm; 0: none
  std::vector<MeasureRequest> measure = {};
  bool phases = true;  // tell the phases of the optimizer apart, which on a device waits for each of them
};

// Bytes: what a run takes of the model's device, and what was free before it; likewise of further devices.
struct RunMemory {
  struct Other {
    int device;
    int64_t needed, available;
  };
  int64_t weights = 0, gradients = 0, optimizer = 0, activations = 0, available = 0;
  std::vector<Other> others = {};
  int64_t needed() const { return weights + gradients + optimizer + activations; }
};

struct StepTimes {
  // Seconds. On a device the optimizer's work of a step that neither measures nor tells the phases goes on while the next
  // step begins: `optimizer` is then that of the latest step for which it is known.
  double forwardBackward = 0, optimizer = 0, diagnostics = 0;
};

struct StepResult {
  double loss = 0;          // mean over the micro-batches, nats per token
  double gradNorm = 0;      // global L2 norm, before clipping
  bool applied = false;     // false: the loss or a gradient was not finite; weights and state are untouched
  std::string nonFinite;    // "loss", or the first parameter whose gradient is not finite; empty when applied
  StepTimes time;
  std::vector<PhaseCost> phases;  // empty unless asked for
  std::vector<Measurement> measurements;  // what is known by now: of this step and of earlier ones
  int64_t pending = 0;                    // measurements that are not known yet
};

struct Gradients {
  double loss;
  std::vector<HostTensor> tensors;
};

struct Checkpoint {
  int64_t step;
  std::vector<HostTensor> tensors;  // weight.NAME, optimizer.KIND.NAME
};

class Engine {
 public:
  // Throws std::invalid_argument for a setting that cannot be, std::runtime_error, before anything is allocated, when
  // memory does not suffice.
  explicit Engine(const EngineConfig& config);
  // On a backend that is there already, whatever the configuration names.
  Engine(std::unique_ptr<Backend> backend, const EngineConfig& config);

  const BackendInfo& backend() const { return backend_->info(); }
  const RunMemory& memory() const { return memory_; }
  const std::vector<Parameter>& parameters() const { return model_->parameters(); }

  // `tokens`: micro-batches × B × (T + 1) ids, at least one micro-batch. All checks come before any change.
  StepResult step(const std::vector<int32_t>& tokens, const StepOptions& options);
  // Measurements that were pending; waits for them.
  std::vector<Measurement> measured() { return diagnostics_->take(true); }
  // Mean loss in nats per token; changes nothing.
  double evaluate(const std::vector<int32_t>& tokens);
  // Loss and gradients without a step; changes nothing.
  Gradients gradients(const std::vector<int32_t>& tokens);

  void set(Group group, const KnobValues& values, const std::string& scope) {
    optimizer_->set(group, values, scope);
    settled_ = false;
  }
  KnobValues values(const std::string& parameter) const { return optimizer_->values(parameter); }

  Checkpoint save() const;
  // Throws std::invalid_argument, changing nothing, for a tensor that is missing, unknown, twice there or of another shape.
  void load(const Checkpoint& checkpoint);

 private:
  // Each with references to those before it.
  struct Parts {
    std::unique_ptr<Model> model;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<Diagnostics> diagnostics;
  };

  Parts build(const EngineConfig& config) const;
  void checkMemory() const;
  RunMemory countMemory(const EngineConfig& config);
  int64_t microBatches(const std::vector<int32_t>& tokens) const;
  // How many losses there will be at the beginning of results_.
  int64_t accumulateGradients(const std::vector<int32_t>& tokens);
  double meanLoss(int64_t count);
  double* results(int64_t losses);
  void checkOptions(const StepOptions& options) const;
  void applyGradients(const StepOptions& options, int64_t losses, StepResult& result);

  const ModelConfig config_;
  std::unique_ptr<Backend> backend_;
  const Ranks ranks_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Diagnostics> diagnostics_;
  RunMemory memory_;
  std::vector<Matrix> gradients_;          // of all parameters
  std::optional<DeviceBuffer> results_;    // doubles: losses of the micro-batches, then squares of the gradients
  bool settled_ = false;                   // a step with these knobs was done directly: prepared ones need no new memory
  bool launched_ = false;                  // the latest step was prepared and launched
  double optimizerSeconds_ = 0;            // of the latest step for which it is known
};

}  // namespace muonscope
