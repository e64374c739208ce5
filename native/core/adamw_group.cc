// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over P ranks: FSDP2's row shards, each rank updating its own rows.
// Nothing but the reduce-scatter of gradients moves.
#include <algorithm>
#include <optional>

#include "core/device_buffer.h"
#include "core/parameter_group.h"

namespace muonscope {
namespace {

struct AdamWSettings {
  double lr, weightDecay, beta1, beta2, eps;
};

AdamWSettings adamwSettings(const KnobValues& values) {
  const auto number = [&](const char* id) { return std::get<double>(values.at(id)); };
  return {number("lr"), number("weightDecay"), number("beta1"), number("beta2"), number("eps")};
}

class AdamWGroup final : public ParameterGroup {
 public:
  AdamWGroup(Backend& backend, std::vector<Parameter> parameters, const std::vector<KnobValues>& values, int ranks)
      : backend_(backend), parameters_(std::move(parameters)), ranks_(ranks) {
    std::vector<int64_t> most(static_cast<size_t>(ranks));
    for (size_t index = 0; index < parameters_.size(); ++index) {
      settings_.push_back(adamwSettings(values[index]));
      parts_.emplace_back();
      for (int rank = 0; rank < ranks; ++rank) {
        const RowRange range = rowsOfRank(parameters_[index].weight.rows, rank, ranks);
        const int64_t floats = range.count * parameters_[index].weight.cols;
        parts_.back().push_back({range, DeviceBuffer(backend, floats), DeviceBuffer(backend, floats)});
        most[static_cast<size_t>(rank)] = std::max(most[static_cast<size_t>(rank)], floats);
      }
    }
    for (int rank = 0; ranks > 1 && rank < ranks; ++rank) gradients_.emplace_back(backend, most[static_cast<size_t>(rank)]);
  }

  void check(const KnobValues&) const override {}
  void configure(size_t index, const KnobValues& values) override { settings_[index] = adamwSettings(values); }

  void step(double lrScale, int64_t number, TapListener* listener, StepCosts& costs) override {
    for (size_t index = 0; index < parameters_.size(); ++index) {
      const AdamWSettings& settings = settings_[index];
      const Backend::AdamW rule = {.lr = static_cast<float>(settings.lr * lrScale),
                                   .beta1 = static_cast<float>(settings.beta1),
                                   .beta2 = static_cast<float>(settings.beta2),
                                   .eps = static_cast<float>(settings.eps),
                                   .weightDecay = static_cast<float>(settings.weightDecay),
                                   .step = number};
      stepParameter(index, rule, listener, costs);
    }
  }

  std::vector<GroupState> state() const override {
    std::vector<GroupState> all;
    for (size_t index = 0; index < parameters_.size(); ++index) {
      const Parameter& parameter = parameters_[index];
      ShardedTensor first{.rows = parameter.weight.rows, .width = parameter.weight.cols}, second = first;
      for (const Part& part : parts_[index]) {
        first.parts.push_back(part.first.data());
        second.parts.push_back(part.second.data());
      }
      const std::vector<int64_t> shape = {parameter.weight.rows, parameter.weight.cols};
      all.push_back({{"exp_avg." + parameter.name, shape}, first});
      all.push_back({{"exp_avg_sq." + parameter.name, shape}, second});
    }
    return all;
  }

 private:
  // One rank's rows of a parameter's moments.
  struct Part {
    RowRange range;
    DeviceBuffer first, second;
  };

  void stepParameter(size_t index, const Backend::AdamW& rule, TapListener* listener, StepCosts& costs) {
    const Parameter& parameter = parameters_[index];
    const int64_t cols = parameter.weight.cols;
    const auto wants = [&](Tap tap) { return listener && listener->wants(tap, parameter.name); };
    if (wants(Tap::gradient)) listener->show(Tap::gradient, parameter.name, parameter.gradient);
    // Full matrices for the listener: the moments after the step, and the update, which is the same step taken on
    // weights of zero, with its sign turned.
    std::optional<DeviceBuffer> momentum, update;
    if (wants(Tap::momentum)) momentum.emplace(backend_, parameter.weight.size());
    if (wants(Tap::update)) update.emplace(backend_, parameter.weight.size());
    for (int rank = 0; rank < ranks_; ++rank) {
      const Part& part = parts_[index][static_cast<size_t>(rank)];
      const int64_t floats = part.range.count * cols, offset = part.range.first * cols;
      const float* gradient = parameter.gradient.data + offset;
      if (ranks_ > 1) {
        float* shard = gradients_[static_cast<size_t>(rank)].data();
        Transport(backend_, costs).receive(Phase::reduceScatter, rank, shard, gradient, floats);
        gradient = shard;
      }
      if (update) {
        DeviceBuffer first(backend_, floats), second(backend_, floats);
        backend_.copy(first.data(), part.first.data(), floats);
        backend_.copy(second.data(), part.second.data(), floats);
        backend_.adamw(update->data() + offset, first.data(), second.data(), gradient, rule, floats);
        backend_.axpby(update->data() + offset, update->data() + offset, -1, 0, floats);
      }
      {
        const auto timer = costs.time(Phase::apply, rank);
        backend_.adamw(parameter.weight.data + offset, part.first.data(), part.second.data(), gradient, rule, floats);
      }
      if (momentum) backend_.copy(momentum->data() + offset, part.first.data(), floats);
    }
    if (momentum) listener->show(Tap::momentum, parameter.name, {momentum->data(), parameter.weight.rows, cols});
    if (update) listener->show(Tap::update, parameter.name, {update->data(), parameter.weight.rows, cols});
    if (wants(Tap::weight)) listener->show(Tap::weight, parameter.name, parameter.weight);
  }

  Backend& backend_;
  std::vector<Parameter> parameters_;
  std::vector<AdamWSettings> settings_;    // by parameter
  std::vector<std::vector<Part>> parts_;   // by parameter and rank
  int ranks_;
  std::vector<DeviceBuffer> gradients_;    // by rank, when there are several: its rows of one gradient
};

}  // namespace

std::unique_ptr<ParameterGroup> makeAdamWGroup(Backend& backend, std::vector<Parameter> parameters, const std::vector<KnobValues>& values,
                                               int ranks) {
  return std::make_unique<AdamWGroup>(backend, std::move(parameters), values, ranks);
}

}  // namespace muonscope
