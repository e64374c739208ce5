// One training engine: model, optimizer and diagnostics on a backend. Not thread-safe: one call at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "core/host_tensor.h"
#include "core/model.h"
#include "core/optimizer.h"

namespace muonscope {

struct EngineConfig {
  std::string backend;  // "auto", "cpu", "cuda"
  int threads;          // 0: one per physical core
  uint64_t seed;
  ModelConfig model;
  int64_t batch;        // sequences in a micro-batch
  std::string preset;
  KnobValues matrixKnobs, auxiliaryKnobs;  // overrides of the preset's
  int ranks;
};

struct StepOptions {
  double lrScale = 1;  // the schedule's factor, ≥ 0
  double clip = 0;     // largest gradient norm; 0: none
  std::vector<MeasureRequest> measure = {};
};

struct StepTimes {
  double forwardBackward = 0, optimizer = 0, diagnostics = 0;  // seconds
};

struct StepResult {
  double loss = 0;          // mean over the micro-batches, nats per token
  double gradNorm = 0;      // global L2 norm, before clipping
  bool applied = false;     // false: the loss or a gradient was not finite; weights and state are untouched
  std::string nonFinite;    // "loss", or the first parameter whose gradient is not finite; empty when applied
  StepTimes time;
  std::vector<PhaseCost> phases;
  std::vector<Measurement> measurements;
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
  // Throws std::invalid_argument for a setting that cannot be, std::runtime_error when memory does not suffice.
  explicit Engine(const EngineConfig& config);

  const BackendInfo& backend() const { return backend_->info(); }
  const std::vector<Parameter>& parameters() const { return model_->parameters(); }

  // `tokens`: micro-batches × B × (T + 1) ids, at least one micro-batch. All checks come before any change.
  StepResult step(const std::vector<int32_t>& tokens, const StepOptions& options);
  // Mean loss in nats per token; changes nothing.
  double evaluate(const std::vector<int32_t>& tokens);
  // Loss and gradients without a step; changes nothing.
  Gradients gradients(const std::vector<int32_t>& tokens);

  void set(Group group, const KnobValues& values, const std::string& scope) { optimizer_->set(group, values, scope); }
  KnobValues values(const std::string& parameter) const { return optimizer_->values(parameter); }

  Checkpoint save() const;
  // Throws std::invalid_argument, changing nothing, for a tensor that is missing, unknown, twice there or of another shape.
  void load(const Checkpoint& checkpoint);

 private:
  int64_t microBatches(const std::vector<int32_t>& tokens) const;
  double accumulateGradients(const std::vector<int32_t>& tokens);

  const ModelConfig config_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Diagnostics> diagnostics_;
};

}  // namespace muonscope
