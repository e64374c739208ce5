// The optimizer: a group of matrices and a group of the rest, their knobs, and their state by name.
#include "core/optimizer.h"

#include <cmath>
#include <stdexcept>

#include "core/glob.h"
#include "core/parameter_group.h"

namespace muonscope {
namespace {

// Of parameters on ranks: what is noted of each takes host memory, which nobody counts. A thousand of both pass.
constexpr int64_t mostParts = int64_t{1} << 20;

constexpr const char* groupNames[] = {"matrix", "auxiliary"};

class GroupedOptimizer final : public Optimizer {
 public:
  GroupedOptimizer(const Ranks& ranks, std::vector<Parameter> parameters, const std::string& preset, const KnobValues& matrixKnobs,
                   const KnobValues& auxiliaryKnobs)
      : ranks_(ranks) {
    if (static_cast<int64_t>(parameters.size()) * ranks.count() > mostParts)
      throw std::invalid_argument("ranks: expected at most " + std::to_string(mostParts / static_cast<int64_t>(parameters.size())) + " for " +
                                  std::to_string(parameters.size()) + " parameters, got " + std::to_string(ranks.count()) + ".");
    const OptimizerDescription& optimizer = findOptimizer(preset);
    const Description& all = describe();
    members_[0] = {&all.knobs, "optimizer \"" + preset + "\"", {}, {}, {}};
    members_[1] = {&all.auxiliaryKnobs, "the AdamW of embedding and head", {}, {}, {}};
    const KnobValues values[] = {mergeKnobs(all.knobs, optimizer.defaults, matrixKnobs, members_[0].what),
                                 mergeKnobs(all.auxiliaryKnobs, defaultsOf(all.auxiliaryKnobs), auxiliaryKnobs, members_[1].what)};
    std::vector<Parameter> split[2];
    for (const Parameter& parameter : parameters) {
      checkShape(parameter);
      const size_t group = static_cast<size_t>(parameter.group);
      split[group].push_back(parameter);
      members_[group].names.push_back(parameter.name);
      members_[group].values.push_back(values[group]);
    }
    const auto makeFirst = preset == "adamw" ? makeAdamWGroup : makeMatrixGroup;
    members_[0].group = makeFirst(ranks, std::move(split[0]), members_[0].values);
    members_[1].group = makeAdamWGroup(ranks, std::move(split[1]), members_[1].values);
    members_[0].group->check(values[0]);
    ranks.join();
  }

  OptimizerReport step(double lrScale, TapListener* listener, bool timed) override {
    StepCosts costs(ranks_.count(), timed);
    ++steps_;
    ranks_.fork();
    for (Members& members : members_) members.group->step(lrScale, steps_, listener, costs);
    ranks_.join();
    return {costs.report()};
  }

  void set(Group group, const KnobValues& changes, const std::string& scope) override {
    Members& members = members_[static_cast<size_t>(group)];
    for (const auto& [id, value] : changes)
      if (!findKnob(*members.knobs, id).live)
        throw std::invalid_argument(id + " cannot change during a run: expected a knob that is live. Start a new run with it.");
    std::vector<std::pair<size_t, KnobValues>> planned;
    for (size_t i = 0; i < members.names.size(); ++i) {
      if (!globMatches(scope, members.names[i])) continue;
      planned.emplace_back(i, mergeKnobs(*members.knobs, members.values[i], changes, members.what));
      members.group->check(planned.back().second);
    }
    if (planned.empty()) throw std::invalid_argument(nothingMatches(group, scope));
    for (auto& [i, values] : planned) {
      members.group->configure(i, values);
      members.values[i] = std::move(values);
    }
  }

  KnobValues values(const std::string& parameter) const override {
    for (const Members& members : members_)
      for (size_t i = 0; i < members.names.size(); ++i)
        if (members.names[i] == parameter) return members.values[i];
    throw std::invalid_argument(unknown("parameter", parameter, parameterNames()));
  }

  std::vector<StateTensor> state() const override {
    std::vector<StateTensor> tensors;
    for (const GroupState& entry : allState()) tensors.push_back(entry.tensor);
    return tensors;
  }

  std::vector<float> readState(const std::string& name) const override { return findState(name).shards.read(ranks_); }

  void writeState(const std::string& name, const std::vector<float>& values) override {
    const ShardedTensor shards = findState(name).shards;
    const int64_t expected = shards.rows * shards.width;
    if (static_cast<int64_t>(values.size()) != expected)
      throw std::invalid_argument(name + ": expected " + std::to_string(expected) + " values, got " + std::to_string(values.size()) + ".");
    shards.write(ranks_, values);
  }

  int64_t stepCount() const override { return steps_; }
  void setStepCount(int64_t steps) override { steps_ = steps; }

 private:
  struct Members {
    const std::vector<Knob>* knobs;
    std::string what;  // for errors
    std::vector<std::string> names;
    std::vector<KnobValues> values;  // in force, by parameter
    std::unique_ptr<ParameterGroup> group;
  };

  static void checkShape(const Parameter& parameter) {
    const Matrix &w = parameter.weight, &g = parameter.gradient;
    if (w.rows == g.rows && w.cols == g.cols) return;
    throw std::invalid_argument(parameter.name + ": expected a gradient of the weight's shape " + std::to_string(w.rows) + "×" +
                                std::to_string(w.cols) + ", got " + std::to_string(g.rows) + "×" + std::to_string(g.cols) + ".");
  }

  static std::string unknown(const std::string& kind, const std::string& name, const std::vector<std::string>& known) {
    return "Unknown " + kind + " \"" + name + "\"" + (known.empty() ? "." : ": did you mean \"" + nearestName(name, known) + "\"?");
  }

  std::string nothingMatches(Group group, const std::string& scope) const {
    const std::vector<std::string>& names = members_[static_cast<size_t>(group)].names;
    return "scope: no " + std::string(groupNames[static_cast<size_t>(group)]) + " parameter matches \"" + scope + "\"" +
           (names.empty() ? "; there are none." : "; expected a name such as \"" + nearestName(scope, names) + "\", with * for any part of it.");
  }

  std::vector<std::string> parameterNames() const {
    std::vector<std::string> names;
    for (const Members& members : members_) names.insert(names.end(), members.names.begin(), members.names.end());
    return names;
  }

  std::vector<GroupState> allState() const {
    std::vector<GroupState> all;
    for (const Members& members : members_)
      for (GroupState& entry : members.group->state()) all.push_back(std::move(entry));
    return all;
  }

  GroupState findState(const std::string& name) const {
    std::vector<std::string> known;
    for (GroupState& entry : allState()) {
      if (entry.tensor.name == name) return entry;
      known.push_back(entry.tensor.name);
    }
    throw std::invalid_argument(unknown("optimizer state", name, known));
  }

  const Ranks& ranks_;
  Members members_[2];  // by Group
  int64_t steps_ = 0;
};

}  // namespace

void checkLrScale(double lrScale) {
  if (!(lrScale >= 0) || !std::isfinite(lrScale))
    throw std::invalid_argument("lrScale: expected a finite number of at least 0, received " + std::to_string(lrScale));
}

std::unique_ptr<Optimizer> makeOptimizer(const Ranks& ranks, std::vector<Parameter> parameters, const std::string& preset,
                                         const KnobValues& matrixKnobs, const KnobValues& auxiliaryKnobs) {
  return std::make_unique<GroupedOptimizer>(ranks, std::move(parameters), preset, matrixKnobs, auxiliaryKnobs);
}

}  // namespace muonscope
