#include "core/second_moment.h"

namespace muonscope {
namespace {

// The matrices of a batch under each other: row operations take them all at once.
Matrix stacked(Batch x) { return {x.data, x.count * x.rows, x.cols}; }

}  // namespace

SecondMoment::SecondMoment(Backend& backend, int ranks) : backend_(backend) {
  for (int rank = 0; rank < ranks; ++rank) fresh_.emplace_back(backend, 0);
}

void SecondMoment::apply(const Run& run, const std::vector<Batch>& x, StepCosts& costs) {
  const Statistic statistic = run.chunk->statistic;
  if (statistic == Statistic::none) return;
  const int ranks = static_cast<int>(x.size());
  for (int rank = 0; rank < ranks; ++rank) meanSquares(run, x[static_cast<size_t>(rank)], rank, costs);
  if (statistic == Statistic::columns && ranks > 1) allReduceColumns(run, costs);
  for (int rank = 0; rank < ranks; ++rank) {
    const auto timer = costs.time(Phase::normalize, rank);
    const float beta2 = static_cast<float>(run.settings->beta2), fresh = static_cast<float>(1 - run.settings->beta2);
    const Batch part = x[static_cast<size_t>(rank)];
    if (statistic == Statistic::coordinates) {
      backend_.lerpSquare(run.secondMoment(rank), part.data, fresh, part.count * part.stride);
    } else {
      backend_.axpby(run.secondMoment(rank), fresh_[static_cast<size_t>(rank)].data(), fresh, beta2,
                     run.count * run.part(rank).momentsPerMatrix);
    }
    if (run.settings->normalize) divide(run, part, rank);
  }
}

void SecondMoment::meanSquares(const Run& run, Batch x, int rank, StepCosts& costs) {
  if (run.chunk->statistic == Statistic::coordinates) return;
  const auto timer = costs.time(Phase::normalize, rank);
  DeviceBuffer& fresh = fresh_[static_cast<size_t>(rank)];
  const int64_t moments = run.part(rank).momentsPerMatrix;
  if (fresh.size() < run.count * moments) fresh = DeviceBuffer(backend_, run.count * moments);
  if (x.rows == 0) return;
  if (run.chunk->statistic == Statistic::rows) {
    backend_.rowMeanSquare(fresh.data(), stacked(x));
  } else {
    for (int64_t i = 0; i < x.count; ++i) backend_.columnMeanSquare(fresh.data() + i * moments, x[i]);
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

void SecondMoment::divide(const Run& run, Batch x, int rank) {
  const float eps = static_cast<float>(run.settings->eps);
  const float* moments = run.secondMoment(rank);
  switch (run.chunk->statistic) {
    case Statistic::rows:
      backend_.scaleRows(stacked(x), stacked(x), moments, eps);
      break;
    case Statistic::columns:
      for (int64_t i = 0; i < x.count; ++i) backend_.scaleColumns(x[i], x[i], moments + i * x.cols, eps);
      break;
    case Statistic::coordinates:
      backend_.divideByRoot(x.data, x.data, moments, eps, x.count * x.stride);
      break;
    case Statistic::none:
      break;
  }
}

}  // namespace muonscope
