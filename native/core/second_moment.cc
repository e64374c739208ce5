#include "core/second_moment.h"

namespace muonscope {

SecondMoment::SecondMoment(const Ranks& ranks, int lane, int64_t most) : ranks_(ranks), lane_(lane) {
  for (int rank = 0; rank < ranks.count(); ++rank) fresh_.emplace_back(ranks.of(rank, lane), most);
  if (ranks.places() > 1) brought_.emplace(ranks.of(0, lane), most);
}

void SecondMoment::apply(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  const Statistic statistic = run.chunk->statistic;
  if (statistic == Statistic::none) return;
  if (statistic == Statistic::columns) return columns(run, x, costs);
  const auto eps = static_cast<float>(run.settings->eps), beta2 = static_cast<float>(run.settings->beta2);
  for (size_t rank = 0; rank < x.size(); ++rank) {
    Backend& backend = ranks_.of(static_cast<int>(rank), lane_);
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank), backend);
    float* moments = run.secondMoment(static_cast<int>(rank));
    const Batch part = x[rank];
    if (statistic == Statistic::rows) {
      backend.normalizeRows(part, moments, beta2, eps, run.settings->normalize);
      continue;
    }
    const int64_t floats = part.count * part.stride;
    backend.lerpSquare(moments, part.data, static_cast<float>(1 - run.settings->beta2), floats);
    if (run.settings->normalize) backend.divideByRoot(part.data, part.data, moments, eps, floats);
  }
}

void SecondMoment::columns(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  for (size_t rank = 0; rank < x.size(); ++rank) {
    Backend& backend = ranks_.of(static_cast<int>(rank), lane_);
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank), backend);
    if (x[rank].rows > 0) backend.columnMeanSquare(fresh_[rank].data(), x[rank]);
  }
  if (x.size() > 1) allReduceColumns(run, costs);
  for (size_t rank = 0; rank < x.size(); ++rank) {
    Backend& backend = ranks_.of(static_cast<int>(rank), lane_);
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank), backend);
    float* moments = run.secondMoment(static_cast<int>(rank));
    backend.axpby(moments, fresh_[rank].data(), static_cast<float>(1 - run.settings->beta2), static_cast<float>(run.settings->beta2),
                   run.count * run.chunk->cols);
    if (run.settings->normalize) backend.scaleColumns(x[rank], moments, static_cast<float>(run.settings->eps));
  }
}

// Each rank's means, weighted by its share of the rows, summed in the order of ranks and handed to all.
void SecondMoment::allReduceColumns(const Run& run, StepCosts& costs) {
  const int64_t floats = run.count * run.chunk->cols;
  Backend& root = ranks_.of(0, lane_);
  float* sum = fresh_[0].data();  // rank 0 always has rows
  for (int rank = 0; rank < ranks_.count(); ++rank) {
    const auto timer = costs.time(Phase::normalize, rank, root);
    const float share = static_cast<float>(run.rowsOn(rank)) / static_cast<float>(run.chunk->rows);
    if (rank == 0) {
      root.axpby(sum, sum, share, 0, floats);
    } else if (run.rowsOn(rank) > 0) {
      root.axpby(sum, ranks_.bring(0, rank, lane_, fresh_[static_cast<size_t>(rank)].data(), floats, brought_), share, 1, floats);
    }
    costs.addBytes(Phase::normalize, rank, static_cast<double>(floats) * sizeof(float));
  }
  ranks_.spread(0, lane_);
  for (int rank = 1; rank < ranks_.count(); ++rank) {
    Backend& backend = ranks_.of(rank, lane_);
    const auto timer = costs.time(Phase::normalize, rank, backend);
    backend.copy(fresh_[static_cast<size_t>(rank)].data(), sum, floats);
  }
}

}  // namespace muonscope
