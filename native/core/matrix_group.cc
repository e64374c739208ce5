// Muon and NorMuon, one pipeline with switches, over P ranks:
//
//     M ← β1·M + (1 − β1)·G                      each rank its rows
//     U = nesterov ? (1 − β1)·G + β1·M : M
//     O = orthogonalize ? NewtonSchulz(U) : U·√min(m, n)/‖U‖     the owner, which gathers U and scatters O
//     v ← β2·v + (1 − β2)·mean square of O        each rank its rows (of U, and before O, when placed before)
//     Ô = normalize ? O/(√v + ε) : O
//     W ← W − η·λ·W − η·s·Ô
#include <algorithm>
#include <cmath>
#include <optional>

#include "core/matrix_chunk.h"
#include "core/newton_schulz.h"
#include "core/parameter_group.h"
#include "core/second_moment.h"
#include "core/update_scale.h"

namespace muonscope {
namespace {

class MatrixGroup final : public ParameterGroup {
 public:
  MatrixGroup(Backend& backend, std::vector<Parameter> parameters, const std::vector<KnobValues>& values, int ranks)
      : backend_(backend), parameters_(std::move(parameters)), ranks_(ranks), newtonSchulz_(backend) {
    for (const KnobValues& set : values) settings_.push_back(matrixSettings(set));
    chunks_ = makeMatrixChunks(backend, parameters_, settings_, ranks);
    int64_t largest = 0, most = 0;
    for (const MatrixChunk& chunk : chunks_) {
      const auto count = static_cast<int64_t>(chunk.members.size());
      largest = std::max(largest, count * chunk.rows * chunk.cols);
      most = std::max(most, count);
      newtonSchulz_.reserve(count, chunk.rows, chunk.cols);
    }
    batch_.emplace(backend, largest);
    secondMoment_.emplace(backend, chunks_, ranks);
    scale_.emplace(backend, ranks, most);
    if (ranks == 1) return;
    for (int rank = 0; rank < ranks; ++rank) {
      int64_t most = 0;
      for (const MatrixChunk& chunk : chunks_) most = std::max(most, chunk.parts[static_cast<size_t>(rank)].momentum.size());
      gradients_.emplace_back(backend, most);
      directions_.emplace_back(backend, most);
    }
  }

  void check(const KnobValues& values) const override { matrixSettings(values); }
  void configure(size_t index, const KnobValues& values) override { settings_[index] = matrixSettings(values); }

  void step(double lrScale, int64_t, TapListener* listener, StepCosts& costs) override {
    for (MatrixChunk& chunk : chunks_) {
      const auto settings = [&](int64_t i) { return &settings_[chunk.members[static_cast<size_t>(i)]]; };
      const int64_t count = static_cast<int64_t>(chunk.members.size());
      for (int64_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && *settings(end) == *settings(first);) ++end;
        stepRun({&chunk, first, end - first, settings(first)}, lrScale, listener, costs);
      }
    }
  }

  std::vector<GroupState> state() const override {
    std::vector<GroupState> all;
    for (const MatrixChunk& chunk : chunks_)
      for (size_t slot = 0; slot < chunk.members.size(); ++slot) chunk.appendState(all, slot, parameters_[chunk.members[slot]].name);
    return all;
  }

 private:
  void stepRun(const Run& run, double lrScale, TapListener* listener, StepCosts& costs);
  void updateMomentum(const Run& run, const std::vector<Batch>& directions, StepCosts& costs);
  void gather(const Run& run, Batch whole, const std::vector<Batch>& directions, StepCosts& costs);
  void scatter(const Run& run, Batch whole, const std::vector<Batch>& directions, StepCosts& costs);
  void orthogonalize(const Run& run, Batch whole, StepCosts& costs);
  void applyUpdate(const Run& run, const std::vector<Batch>& x, double eta, StepCosts& costs);

  // Shows each matrix of the run that the listener wants, assembled from the ranks' rows: assemble(to, rank, i) puts
  // them in place. One rank has them whole at source(i), where that is not null.
  template <class Source, class Assemble>
  void show(const Run& run, Tap tap, TapListener* listener, const Source& source, const Assemble& assemble);
  void show(const Run& run, Tap tap, TapListener* listener, const std::vector<Batch>& x);

  Backend& backend_;
  std::vector<Parameter> parameters_;
  std::vector<MatrixSettings> settings_;  // by parameter
  int ranks_;
  std::vector<MatrixChunk> chunks_;
  NewtonSchulz newtonSchulz_;
  std::optional<SecondMoment> secondMoment_;
  std::optional<UpdateScale> scale_;
  std::optional<DeviceBuffer> batch_;      // the owner's: whole matrices of one run
  std::vector<DeviceBuffer> gradients_;    // by rank, when there are several: its rows of the gradients
  std::vector<DeviceBuffer> directions_;   // by rank, likewise: its rows of U, O and Ô in turn
  std::optional<DeviceBuffer> shown_;
};

void MatrixGroup::stepRun(const Run& run, double lrScale, TapListener* listener, StepCosts& costs) {
  const MatrixSettings& settings = *run.settings;
  const int64_t size = run.chunk->rows * run.chunk->cols;
  const Batch whole = {batch_->data(), run.count, run.chunk->rows, run.chunk->cols, size};
  std::vector<Batch> x;  // by rank: its rows of U, O and Ô in turn; one rank works on the whole matrices in place
  for (int rank = 0; rank < ranks_; ++rank) {
    float* data = ranks_ == 1 ? whole.data : directions_[static_cast<size_t>(rank)].data();
    x.push_back({data, run.count, run.rowsOn(rank), run.chunk->cols, run.floatsOn(rank)});
  }
  const auto showWhole = [&](Tap tap, const auto& matrix) {
    for (int64_t i = 0; listener && i < run.count; ++i) {
      const std::string& name = parameters_[run.member(i)].name;
      if (listener->wants(tap, name)) listener->show(tap, name, matrix(i));
    }
  };

  showWhole(Tap::gradient, [&](int64_t i) { return parameters_[run.member(i)].gradient; });
  updateMomentum(run, x, costs);
  show(run, Tap::momentum, listener, [&](int64_t i) { return run.momentum(0, i); },
       [&](float* to, int rank, int64_t i) { backend_.copy(to, run.momentum(rank, i), run.floatsOn(rank)); });
  if (settings.normalizeBefore) {
    secondMoment_->apply(run, x, costs);
    show(run, Tap::normalized, listener, x);
  }

  gather(run, whole, x, costs);
  orthogonalize(run, whole, costs);
  showWhole(Tap::orthogonalized, [&](int64_t i) { return whole[i]; });
  scatter(run, whole, x, costs);

  if (!settings.normalizeBefore) {
    if (settings.preserve && settings.normalize) scale_->takeBefore(run, x, costs);
    secondMoment_->apply(run, x, costs);
    show(run, Tap::normalized, listener, x);
  }
  scale_->compute(run, x, costs);

  const double eta = settings.lr * lrScale;
  show(run, Tap::update, listener, [](int64_t) -> float* { return nullptr; },
       [&](float* to, int rank, int64_t i) {
         backend_.scaled(to, x[static_cast<size_t>(rank)][i].data, static_cast<float>(eta), scale_->of(rank) + i, run.floatsOn(rank));
       });
  applyUpdate(run, x, eta, costs);
  showWhole(Tap::weight, [&](int64_t i) { return parameters_[run.member(i)].weight; });
}

void MatrixGroup::updateMomentum(const Run& run, const std::vector<Batch>& directions, StepCosts& costs) {
  Transport transport(backend_, costs);
  for (int rank = 0; rank < ranks_; ++rank) {
    ScatteredBatch gradients{{}, run.rowsOn(rank), run.chunk->cols};
    for (int64_t i = 0; i < run.count; ++i) {
      const int64_t floats = run.floatsOn(rank);
      float* gradient = parameters_[run.member(i)].gradient.data + run.part(rank).range.first * run.chunk->cols;
      if (ranks_ > 1) {
        float* shard = gradients_[static_cast<size_t>(rank)].data() + i * floats;
        transport.receive(Phase::reduceScatter, rank, shard, gradient, floats);
        gradient = shard;
      }
      gradients.data.push_back(gradient);
    }
    const auto timer = costs.time(Phase::momentum, rank);
    backend_.momentum(directions[static_cast<size_t>(rank)], run.momenta(rank), gradients, static_cast<float>(run.settings->beta1),
                      run.settings->nesterov);
  }
}

void MatrixGroup::gather(const Run& run, Batch whole, const std::vector<Batch>& directions, StepCosts& costs) {
  Transport transport(backend_, costs);
  for (int rank = 0; rank < ranks_; ++rank)
    for (int64_t i = 0; i < run.count; ++i)
      transport.send(Phase::gather, rank, run.chunk->owner, whole[i].data + run.part(rank).range.first * whole.cols,
                     directions[static_cast<size_t>(rank)][i].data, run.floatsOn(rank));
}

void MatrixGroup::scatter(const Run& run, Batch whole, const std::vector<Batch>& directions, StepCosts& costs) {
  Transport transport(backend_, costs);
  for (int rank = 0; rank < ranks_; ++rank)
    for (int64_t i = 0; i < run.count; ++i)
      transport.send(Phase::scatter, run.chunk->owner, rank, directions[static_cast<size_t>(rank)][i].data,
                     whole[i].data + run.part(rank).range.first * whole.cols, run.floatsOn(rank));
}

void MatrixGroup::orthogonalize(const Run& run, Batch whole, StepCosts& costs) {
  const auto timer = costs.time(Phase::orthogonalize, run.chunk->owner);
  if (run.settings->orthogonalize) {
    newtonSchulz_.orthogonalize(whole, *run.settings->scheme);
  } else {
    backend_.normalize(whole, whole, std::sqrt(static_cast<double>(std::min(whole.rows, whole.cols))), smallestNorm);
  }
}

void MatrixGroup::applyUpdate(const Run& run, const std::vector<Batch>& x, double eta, StepCosts& costs) {
  for (int rank = 0; rank < ranks_; ++rank) {
    const auto timer = costs.time(Phase::apply, rank);
    ScatteredBatch weights{{}, run.rowsOn(rank), run.chunk->cols};
    for (int64_t i = 0; i < run.count; ++i)
      weights.data.push_back(parameters_[run.member(i)].weight.data + run.part(rank).range.first * run.chunk->cols);
    backend_.decayAndUpdate(weights, x[static_cast<size_t>(rank)], static_cast<float>(eta * run.settings->weightDecay),
                            static_cast<float>(eta), scale_->of(rank));
  }
}

template <class Source, class Assemble>
void MatrixGroup::show(const Run& run, Tap tap, TapListener* listener, const Source& source, const Assemble& assemble) {
  if (!listener) return;
  const int64_t cols = run.chunk->cols, size = run.chunk->rows * cols;
  for (int64_t i = 0; i < run.count; ++i) {
    const std::string& name = parameters_[run.member(i)].name;
    if (!listener->wants(tap, name)) continue;
    if (float* whole = ranks_ == 1 ? source(i) : nullptr) {
      listener->show(tap, name, {whole, run.chunk->rows, cols});
      continue;
    }
    if (!shown_ || shown_->size() < size) shown_.emplace(backend_, size);
    for (int rank = 0; rank < ranks_; ++rank) assemble(shown_->data() + run.part(rank).range.first * cols, rank, i);
    listener->show(tap, name, {shown_->data(), run.chunk->rows, cols});
  }
}

void MatrixGroup::show(const Run& run, Tap tap, TapListener* listener, const std::vector<Batch>& x) {
  show(run, tap, listener, [&](int64_t i) { return x[0][i].data; },
       [&](float* to, int rank, int64_t i) { backend_.copy(to, x[static_cast<size_t>(rank)][i].data, run.floatsOn(rank)); });
}

}  // namespace

std::unique_ptr<ParameterGroup> makeMatrixGroup(Backend& backend, std::vector<Parameter> parameters, const std::vector<KnobValues>& values,
                                                int ranks) {
  return std::make_unique<MatrixGroup>(backend, std::move(parameters), values, ranks);
}

}  // namespace muonscope
