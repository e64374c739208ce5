#include "core/update_scale.h"

#include <algorithm>
#include <cmath>

namespace muonscope {
namespace {

// RMS of the update per unit of learning rate: arXiv 2510.05491 Algorithm 1, line 10.
constexpr double paperRms = 0.2;

constexpr int64_t doubles(int64_t n) { return n * static_cast<int64_t>(sizeof(double) / sizeof(float)); }

}  // namespace

UpdateScale::UpdateScale(const Ranks& ranks, int lane, int64_t most) : ranks_(ranks), lane_(lane) {
  for (int rank = 0; rank < ranks.count(); ++rank) {
    Backend& backend = ranks.of(rank, lane);
    before_.emplace_back(backend, doubles(most));
    after_.emplace_back(backend, doubles(most));
    scales_.emplace_back(backend, most);
  }
  if (ranks.places() > 1) brought_.emplace(ranks.of(0, lane), doubles(most));
}

void UpdateScale::takeBefore(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  squares(before_, x, costs);
  if (!run.settings->localNorm) allReduce(before_, run.count);
}

void UpdateScale::compute(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  const MatrixSettings& settings = *run.settings;
  const double rows = static_cast<double>(run.chunk->rows), cols = static_cast<double>(run.chunk->cols);
  const bool global = !settings.localNorm;
  // Without a normalisation, and with one that came before, Ô is O.
  const bool sameAsBefore = !settings.normalize || settings.normalizeBefore;
  squares(after_, x, costs);
  if (global) allReduce(after_, run.count);
  for (size_t rank = 0; rank < after_.size(); ++rank) {
    Backend& backend = ranks_.of(static_cast<int>(rank), lane_);
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank), backend);
    if (global && after_.size() > 1)
      costs.addBytes(Phase::normalize, static_cast<int>(rank), static_cast<double>(run.count) * (settings.preserve ? 2 : 1) * sizeof(double));
    const double* before = !settings.preserve ? nullptr : (sameAsBefore ? after_ : before_)[rank].doubles();
    const double size = global ? rows * cols : static_cast<double>(run.floatsOn(static_cast<int>(rank)));
    const double target = settings.preserve ? std::sqrt(std::max(1.0, rows / cols)) : paperRms * std::sqrt(size);
    backend.updateScale(scales_[rank].data(), before, after_[rank].doubles(), target, run.count);
  }
}

void UpdateScale::squares(std::vector<DeviceBuffer>& to, const std::vector<Batch>& x, StepCosts& costs) {
  for (size_t rank = 0; rank < x.size(); ++rank) {
    Backend& backend = ranks_.of(static_cast<int>(rank), lane_);
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank), backend);
    backend.sumSquares(to[rank].doubles(), x[rank]);
  }
}

// Sums over the ranks, in their order, handed to all of them.
void UpdateScale::allReduce(std::vector<DeviceBuffer>& squares, int64_t count) {
  for (int rank = 1; rank < ranks_.count(); ++rank) {
    const float* theirs = ranks_.bring(0, rank, lane_, squares[static_cast<size_t>(rank)].data(), doubles(count), brought_);
    ranks_.of(0, lane_).addDoubles(squares[0].doubles(), reinterpret_cast<const double*>(theirs), count);
  }
  ranks_.spread(0, lane_);
  for (int rank = 1; rank < ranks_.count(); ++rank)
    ranks_.of(rank, lane_).copy(squares[static_cast<size_t>(rank)].data(), squares[0].data(), doubles(count));
}

}  // namespace muonscope
