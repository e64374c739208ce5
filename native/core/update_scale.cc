#include "core/update_scale.h"

#include <algorithm>
#include <cmath>

namespace muonscope {
namespace {

// RMS of the update per unit of learning rate: arXiv 2510.05491 Algorithm 1, line 10.
constexpr double paperRms = 0.2;

// Sums over the ranks, in their order, handed to all of them.
RankSquares allReduce(RankSquares squares) {
  std::vector<double> total = squares[0];
  for (size_t rank = 1; rank < squares.size(); ++rank)
    for (size_t i = 0; i < total.size(); ++i) total[i] += squares[rank][i];
  std::fill(squares.begin(), squares.end(), total);
  return squares;
}

}  // namespace

RankSquares updateScales(const Run& run, const RankSquares& before, const RankSquares& after, StepCosts& costs) {
  const MatrixSettings& settings = *run.settings;
  const double rows = static_cast<double>(run.chunk->rows), cols = static_cast<double>(run.chunk->cols);
  const bool global = !settings.localNorm;
  const int ranks = static_cast<int>(after.size());
  if (global && ranks > 1)
    for (int rank = 0; rank < ranks; ++rank)
      costs.addBytes(Phase::normalize, rank, static_cast<double>(run.count) * (settings.preserve ? 2 : 1) * sizeof(double));
  const RankSquares o = settings.preserve && global ? allReduce(before) : before;
  const RankSquares normalized = global ? allReduce(after) : after;
  RankSquares scales = normalized;
  for (int rank = 0; rank < ranks; ++rank)
    for (size_t i = 0; i < static_cast<size_t>(run.count); ++i) {
      const size_t r = static_cast<size_t>(rank);
      const double norm = std::sqrt(normalized[r][i]);
      const double size = global ? rows * cols : static_cast<double>(run.floatsOn(rank));
      const double target = settings.preserve ? std::sqrt(o[r][i] * std::max(1.0, rows / cols)) : paperRms * std::sqrt(size);
      scales[r][i] = norm > 0 ? target / norm : 0;
    }
  return scales;
}

}  // namespace muonscope
