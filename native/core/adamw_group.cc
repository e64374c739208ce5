// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over P ranks: FSDP2's row shards, each rank updating its own rows.
// Nothing moves but the reduce-scatter of gradients and, where a rank is away from the model, its rows of the weights.
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
  AdamWGroup(const Ranks& ranks, std::vector<Parameter> parameters, const std::vector<KnobValues>& values)
      : ranks_(ranks), parameters_(std::move(parameters)) {
    std::vector<int64_t> most(static_cast<size_t>(ranks.count()));
    for (size_t index = 0; index < parameters_.size(); ++index) {
      settings_.push_back(adamwSettings(values[index]));
      parts_.emplace_back();
      for (int rank = 0; rank < ranks.count(); ++rank) {
        const RowRange range = rowsOfRank(parameters_[index].weight.rows, rank, ranks.count());
        const int64_t floats = range.count * parameters_[index].weight.cols;
        Backend& backend = ranks.of(rank, 0);
        parts_.back().push_back({range, DeviceBuffer(backend, floats), DeviceBuffer(backend, floats)});
        most[static_cast<size_t>(rank)] = std::max(most[static_cast<size_t>(rank)], floats);
      }
    }
    for (int rank = 0; rank < ranks.count(); ++rank) {
      gradients_.emplace_back(ranks.of(rank, 0), ranks.count() > 1 ? most[static_cast<size_t>(rank)] : 0);
      weights_.emplace_back(ranks.of(rank, 0), ranks.placeOf(rank) > 0 ? most[static_cast<size_t>(rank)] : 0);
    }
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

  // Whole matrices in the model's memory for the listener: the moments after the step, and the update.
  struct Shown {
    std::optional<DeviceBuffer> momentum, update;
  };

  void stepParameter(size_t index, const Backend::AdamW& rule, TapListener* listener, StepCosts& costs) {
    const Parameter& parameter = parameters_[index];
    const auto wants = [&](Tap tap) { return listener && listener->wants(tap, parameter.name); };
    if (wants(Tap::gradient)) listener->show(Tap::gradient, parameter.name, parameter.gradient);
    Shown shown;
    if (wants(Tap::momentum)) shown.momentum.emplace(ranks_.home(), parameter.weight.size());
    if (wants(Tap::update)) shown.update.emplace(ranks_.home(), parameter.weight.size());
    ranks_.fork();  // what the ranks had of the parameter before this one was given back
    for (int rank = 0; rank < ranks_.count(); ++rank) stepRank(index, rank, rule, shown, costs);
    const auto show = [&](Tap tap, float* data) { listener->show(tap, parameter.name, {data, parameter.weight.rows, parameter.weight.cols}); };
    if (shown.momentum) show(Tap::momentum, shown.momentum->data());
    if (shown.update) show(Tap::update, shown.update->data());
    if (wants(Tap::weight)) show(Tap::weight, parameter.weight.data);
  }

  void stepRank(size_t index, int rank, const Backend::AdamW& rule, Shown& shown, StepCosts& costs) {
    const Parameter& parameter = parameters_[index];
    const Part& part = parts_[index][static_cast<size_t>(rank)];
    const int64_t floats = part.range.count * parameter.weight.cols, offset = part.range.first * parameter.weight.cols;
    Backend& backend = ranks_.of(rank, 0);
    Transport transport(ranks_, 0, costs);
    const bool isAway = transport.isAway(rank);
    const float* gradient = parameter.gradient.data + offset;
    if (ranks_.count() > 1) {
      float* shard = gradients_[static_cast<size_t>(rank)].data();
      transport.receive(Phase::reduceScatter, rank, shard, gradient, floats);
      gradient = shard;
    }
    if (shown.update) showUpdate(shown.update->data() + offset, part, rank, gradient, rule, floats);
    float* weight = parameter.weight.data + offset;
    float* rows = isAway ? weights_[static_cast<size_t>(rank)].data() : weight;
    if (isAway) transport.fetch(rank, rows, weight, floats);
    {
      const auto timer = costs.time(Phase::apply, rank, backend);
      backend.adamw(rows, part.first.data(), part.second.data(), gradient, rule, floats);
    }
    if (isAway) transport.giveBack(rank, weight, rows, floats);
    if (shown.momentum) ranks_.home().copy(shown.momentum->data() + offset, part.first.data(), floats);
  }

  // The update is the same step taken on weights of zero, with its sign turned.
  void showUpdate(float* to, const Part& part, int rank, const float* gradient, const Backend::AdamW& rule, int64_t floats) {
    Backend& backend = ranks_.of(rank, 0);
    DeviceBuffer first(backend, floats), second(backend, floats), update(backend, floats);
    backend.copy(first.data(), part.first.data(), floats);
    backend.copy(second.data(), part.second.data(), floats);
    backend.adamw(update.data(), first.data(), second.data(), gradient, rule, floats);
    backend.axpby(update.data(), update.data(), -1, 0, floats);
    ranks_.home().waitFor(backend);
    ranks_.home().copy(to, update.data(), floats);
    backend.waitFor(ranks_.home());  // with which `update` is free for others
  }

  const Ranks& ranks_;
  std::vector<Parameter> parameters_;
  std::vector<AdamWSettings> settings_;    // by parameter
  std::vector<std::vector<Part>> parts_;   // by parameter and rank
  std::vector<DeviceBuffer> gradients_;    // by rank, when there are several: its rows of one gradient
  std::vector<DeviceBuffer> weights_;      // by rank, where it is away: its rows of one weight
};

}  // namespace

std::unique_ptr<ParameterGroup> makeAdamWGroup(const Ranks& ranks, std::vector<Parameter> parameters,
                                               const std::vector<KnobValues>& values) {
  return std::make_unique<AdamWGroup>(ranks, std::move(parameters), values);
}

}  // namespace muonscope
