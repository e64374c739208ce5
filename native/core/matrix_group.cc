// The matrices of Muon and NorMuon: their knobs and their state, and in which order they are worked on.
#include <algorithm>
#include <memory>

#include "core/matrix_step.h"
#include "core/parameter_group.h"

namespace muonscope {
namespace {

class MatrixGroup final : public ParameterGroup {
 public:
  MatrixGroup(const Ranks& ranks, std::vector<Parameter> parameters, const std::vector<KnobValues>& values)
      : ranks_(ranks), parameters_(std::move(parameters)) {
    for (const KnobValues& set : values) settings_.push_back(matrixSettings(set));
    chunks_ = makeMatrixChunks(ranks, parameters_, settings_);
    for (int lane = 0; lane < ranks.lanes(); ++lane) {
      steps_.emplace_back();
      for (int place = 0; place < ranks.places(); ++place)
        steps_.back().push_back(std::make_unique<MatrixStep>(ranks, lane, place, chunks_, parameters_));
    }
  }

  void check(const KnobValues& values) const override { matrixSettings(values); }
  void configure(size_t index, const KnobValues& values) override { settings_[index] = matrixSettings(values); }

  // In rounds of one run for each place, so that all of them orthogonalise at the same time. Rounds take lanes in turn: rows
  // of one move while another is orthogonalised.
  void step(double lrScale, int64_t, TapListener* listener, StepCosts& costs) override {
    const MatrixStep::Context context{lrScale, listener, costs};
    const std::vector<std::vector<Run>> runs = runsByPlace();
    size_t rounds = 0;
    for (const auto& atPlace : runs) rounds = std::max(rounds, atPlace.size());
    for (size_t round = 0; round < rounds; ++round) {
      const size_t lane = round % steps_.size();
      // The lane's round before this one is done everywhere, and its memory free, before this one begins.
      ranks_.gather(0, static_cast<int>(lane));
      ranks_.spread(0, static_cast<int>(lane));
      for (const auto stage : {&MatrixStep::updateMomentum, &MatrixStep::gather, &MatrixStep::orthogonalize,
                               &MatrixStep::fetchWeights, &MatrixStep::scatter, &MatrixStep::normalize, &MatrixStep::apply})
        for (size_t place = 0; place < runs.size(); ++place)
          if (round < runs[place].size()) (*steps_[lane][place].*stage)(runs[place][round], context);
    }
  }

  std::vector<GroupState> state() const override {
    std::vector<GroupState> all;
    for (const MatrixChunk& chunk : chunks_)
      for (size_t slot = 0; slot < chunk.members.size(); ++slot) chunk.appendState(all, slot, parameters_[chunk.members[slot]].name);
    return all;
  }

 private:
  // By the place of the owner.
  std::vector<std::vector<Run>> runsByPlace() {
    std::vector<std::vector<Run>> runs(static_cast<size_t>(ranks_.places()));
    for (MatrixChunk& chunk : chunks_) {
      const auto settings = [&](int64_t i) { return &settings_[chunk.members[static_cast<size_t>(i)]]; };
      const int64_t count = static_cast<int64_t>(chunk.members.size());
      for (int64_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && *settings(end) == *settings(first);) ++end;
        runs[static_cast<size_t>(ranks_.placeOf(chunk.owner))].push_back({&chunk, first, end - first, settings(first)});
      }
    }
    return runs;
  }

  const Ranks& ranks_;
  std::vector<Parameter> parameters_;
  std::vector<MatrixSettings> settings_;  // by parameter
  std::vector<MatrixChunk> chunks_;
  std::vector<std::vector<std::unique_ptr<MatrixStep>>> steps_;  // by lane and place
};

}  // namespace

std::unique_ptr<ParameterGroup> makeMatrixGroup(const Ranks& ranks, std::vector<Parameter> parameters,
                                                const std::vector<KnobValues>& values) {
  return std::make_unique<MatrixGroup>(ranks, std::move(parameters), values);
}

}  // namespace muonscope
