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
      : backend_(backend), parameters_(std::move(parameters)), ranks_(ranks), newtonSchulz_(backend), secondMoment_(backend, ranks) {
    for (const KnobValues& set : values) settings_.push_back(matrixSettings(set));
    chunks_ = makeMatrixChunks(backend, parameters_, settings_, ranks);
    int64_t largest = 0;
    for (const MatrixChunk& chunk : chunks_)
      largest = std::max(largest, static_cast<int64_t>(chunk.members.size()) * chunk.rows * chunk.cols);
    batch_.emplace(backend, largest);
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
  void scaleToOrthogonalSize(Batch whole);
  RankSquares squares(const std::vector<Batch>& x, StepCosts& costs);
  void applyUpdate(const Run& run, const std::vector<Batch>& x, const RankSquares& scales, double eta, StepCosts& costs);

  // Shows each matrix of the run that the listener wants, assembled from the ranks' rows, which source(rank, i) points
  // to and factor(rank, i) multiplies.
  template <class Source, class Factor>
  void show(const Run& run, Tap tap, TapListener* listener, const Source& source, const Factor& factor);
  void show(const Run& run, Tap tap, TapListener* listener, const std::vector<Batch>& x) {
    show(run, tap, listener, [&](int rank, int64_t i) { return x[static_cast<size_t>(rank)][i].data; }, [](int, int64_t) { return 1.f; });
  }

  Backend& backend_;
  std::vector<Parameter> parameters_;
  std::vector<MatrixSettings> settings_;  // by parameter
  int ranks_;
  std::vector<MatrixChunk> chunks_;
  NewtonSchulz newtonSchulz_;
  SecondMoment secondMoment_;
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
  show(run, Tap::momentum, listener, [&](int rank, int64_t i) { return run.momentum(rank, i); }, [](int, int64_t) { return 1.f; });
  if (settings.normalizeBefore) {
    secondMoment_.apply(run, x, costs);
    show(run, Tap::normalized, listener, x);
  }

  gather(run, whole, x, costs);
  orthogonalize(run, whole, costs);
  showWhole(Tap::orthogonalized, [&](int64_t i) { return whole[i]; });
  scatter(run, whole, x, costs);

  RankSquares before;
  if (!settings.normalizeBefore) {
    if (settings.preserve && settings.normalize) before = squares(x, costs);
    secondMoment_.apply(run, x, costs);
    show(run, Tap::normalized, listener, x);
  }
  const RankSquares after = squares(x, costs);
  const RankSquares scales = updateScales(run, before.empty() ? after : before, after, costs);

  const double eta = settings.lr * lrScale;
  show(run, Tap::update, listener, [&](int rank, int64_t i) { return x[static_cast<size_t>(rank)][i].data; },
       [&](int rank, int64_t i) { return static_cast<float>(eta * scales[static_cast<size_t>(rank)][static_cast<size_t>(i)]); });
  applyUpdate(run, x, scales, eta, costs);
  showWhole(Tap::weight, [&](int64_t i) { return parameters_[run.member(i)].weight; });
}

void MatrixGroup::updateMomentum(const Run& run, const std::vector<Batch>& directions, StepCosts& costs) {
  const float beta1 = static_cast<float>(run.settings->beta1), fresh = static_cast<float>(1 - run.settings->beta1);
  Transport transport(backend_, costs);
  for (int rank = 0; rank < ranks_; ++rank)
    for (int64_t i = 0; i < run.count; ++i) {
      const int64_t floats = run.floatsOn(rank);
      const float* gradient = parameters_[run.member(i)].gradient.data + run.part(rank).range.first * run.chunk->cols;
      if (ranks_ > 1) {
        float* shard = gradients_[static_cast<size_t>(rank)].data() + i * floats;
        transport.receive(Phase::reduceScatter, rank, shard, gradient, floats);
        gradient = shard;
      }
      const auto timer = costs.time(Phase::momentum, rank);
      float* momentum = run.momentum(rank, i);
      float* direction = directions[static_cast<size_t>(rank)][i].data;
      backend_.axpby(momentum, gradient, fresh, beta1, floats);
      if (run.settings->nesterov) {
        backend_.linear(direction, gradient, momentum, fresh, beta1, floats);
      } else {
        backend_.copy(direction, momentum, floats);
      }
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
    scaleToOrthogonalSize(whole);
  }
}

void MatrixGroup::scaleToOrthogonalSize(Batch whole) {
  std::vector<double> norms(static_cast<size_t>(whole.count));
  backend_.sumSquaresBatch(norms.data(), whole);
  const double target = std::sqrt(static_cast<double>(std::min(whole.rows, whole.cols)));
  for (int64_t i = 0; i < whole.count; ++i) {
    const double norm = std::max(std::sqrt(norms[static_cast<size_t>(i)]), smallestNorm);
    backend_.axpby(whole[i].data, whole[i].data, static_cast<float>(target / norm), 0, whole.stride);
  }
}

RankSquares MatrixGroup::squares(const std::vector<Batch>& x, StepCosts& costs) {
  RankSquares result;
  for (int rank = 0; rank < ranks_; ++rank) {
    const auto timer = costs.time(Phase::normalize, rank);
    const Batch& part = x[static_cast<size_t>(rank)];
    result.emplace_back(static_cast<size_t>(part.count));
    backend_.sumSquaresBatch(result.back().data(), part);
  }
  return result;
}

void MatrixGroup::applyUpdate(const Run& run, const std::vector<Batch>& x, const RankSquares& scales, double eta, StepCosts& costs) {
  const float decay = static_cast<float>(eta * run.settings->weightDecay);
  for (int rank = 0; rank < ranks_; ++rank) {
    const auto timer = costs.time(Phase::apply, rank);
    for (int64_t i = 0; i < run.count; ++i) {
      float* weight = parameters_[run.member(i)].weight.data + run.part(rank).range.first * run.chunk->cols;
      const double scale = scales[static_cast<size_t>(rank)][static_cast<size_t>(i)];
      backend_.decayAndUpdate(weight, x[static_cast<size_t>(rank)][i].data, decay, static_cast<float>(eta * scale), run.floatsOn(rank));
    }
  }
}

template <class Source, class Factor>
void MatrixGroup::show(const Run& run, Tap tap, TapListener* listener, const Source& source, const Factor& factor) {
  if (!listener) return;
  const int64_t cols = run.chunk->cols, size = run.chunk->rows * cols;
  for (int64_t i = 0; i < run.count; ++i) {
    const std::string& name = parameters_[run.member(i)].name;
    if (!listener->wants(tap, name)) continue;
    if (ranks_ == 1 && factor(0, i) == 1) {
      listener->show(tap, name, {source(0, i), run.chunk->rows, cols});
      continue;
    }
    if (!shown_ || shown_->size() < size) shown_.emplace(backend_, size);
    for (int rank = 0; rank < ranks_; ++rank)
      backend_.axpby(shown_->data() + run.part(rank).range.first * cols, source(rank, i), factor(rank, i), 0, run.floatsOn(rank));
    listener->show(tap, name, {shown_->data(), run.chunk->rows, cols});
  }
}

}  // namespace

std::unique_ptr<ParameterGroup> makeMatrixGroup(Backend& backend, std::vector<Parameter> parameters, const std::vector<KnobValues>& values,
                                                int ranks) {
  return std::make_unique<MatrixGroup>(backend, std::move(parameters), values, ranks);
}

}  // namespace muonscope
