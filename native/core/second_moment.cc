#include "core/second_moment.h"

#include <algorithm>

namespace muonscope {

SecondMoment::SecondMoment(Backend& backend, const std::vector<MatrixChunk>& chunks, int ranks) : backend_(backend) {
  int64_t most = 0;
  for (const MatrixChunk& chunk : chunks)
    if (chunk.statistic == Statistic::columns) most = std::max(most, static_cast<int64_t>(chunk.members.size()) * chunk.cols);
  for (int rank = 0; rank < ranks; ++rank) fresh_.emplace_back(backend, most);
}

void SecondMoment::apply(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  const Statistic statistic = run.chunk->statistic;
  if (statistic == Statistic::none) return;
  if (statistic == Statistic::columns) return columns(run, x, costs);
  const auto eps = static_cast<float>(run.settings->eps), beta2 = static_cast<float>(run.settings->beta2);
  for (size_t rank = 0; rank < x.size(); ++rank) {
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank));
    float* moments = run.secondMoment(static_cast<int>(rank));
    const Batch part = x[rank];
    if (statistic == Statistic::rows) {
      backend_.normalizeRows(part, moments, beta2, eps, run.settings->normalize);
      continue;
    }
    const int64_t floats = part.count * part.stride;
    backend_.lerpSquare(moments, part.data, static_cast<float>(1 - run.settings->beta2), floats);
    if (run.settings->normalize) backend_.divideByRoot(part.data, part.data, moments, eps, floats);
  }
}

void SecondMoment::columns(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  for (size_t rank = 0; rank < x.size(); ++rank) {
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank));
    if (x[rank].rows > 0) backend_.columnMeanSquare(fresh_[rank].data(), x[rank]);
  }
  if (x.size() > 1) allReduceColumns(run, costs);
  for (size_t rank = 0; rank < x.size(); ++rank) {
    const auto timer = costs.time(Phase::normalize, static_cast<int>(rank));
    float* moments = run.secondMoment(static_cast<int>(rank));
    backend_.axpby(moments, fresh_[rank].data(), static_cast<float>(1 - run.settings->beta2), static_cast<float>(run.settings->beta2),
                   run.count * run.chunk->cols);
    if (run.settings->normalize) backend_.scaleColumns(x[rank], moments, static_cast<float>(run.settings->eps));
  }
}

// Each rank's means, weighted by its share of the rows, summed in the order of ranks and handed to all.
void SecondMoment::allReduceColumns(const Run& run, StepCosts& costs) {
  const int ranks = static_cast<int>(fresh_.size());
  const int64_t floats = run.count * run.chunk->cols;
  float* sum = fresh_[0].data();  // rank 0 always has rows
  for (int rank = 0; rank < ranks; ++rank) {
    const auto timer = costs.time(Phase::normalize, rank);
    const float share = static_cast<float>(run.rowsOn(rank)) / static_cast<float>(run.chunk->rows);
    if (rank == 0) {
      backend_.axpby(sum, sum, share, 0, floats);
    } else if (run.rowsOn(rank) > 0) {
      backend_.axpby(sum, fresh_[static_cast<size_t>(rank)].data(), share, 1, floats);
    }
    costs.addBytes(Phase::normalize, rank, static_cast<double>(floats) * sizeof(float));
  }
  for (int rank = 1; rank < ranks; ++rank) {
    const auto timer = costs.time(Phase::normalize, rank);
    backend_.copy(fresh_[static_cast<size_t>(rank)].data(), sum, floats);
  }
}

}  // namespace muonscope
