// The factor s of the update s·Ô: which norm it is given.
#pragma once

#include <vector>

#include "core/matrix_chunk.h"
#include "core/step_costs.h"

namespace muonscope {

// Sums of squares of each matrix of a run on each rank: [rank][matrix].
using RankSquares = std::vector<std::vector<double>>;

// s for each rank and matrix:
//   paper     0.2·√size/‖Ô‖                       (arXiv 2510.05491 Algorithm 1, line 10)
//   preserve  ‖O‖/‖Ô‖·√max(1, rows/cols)          (zichongli5/NorMuon)
// over the whole matrix, or each over its rank's rows when the run's norm scope is local; 0 where Ô is zero.
// The global norm costs an all-reduce of one number a matrix and rank (paper) or two (preserve).
RankSquares updateScales(const Run& run, const RankSquares& before, const RankSquares& after, StepCosts& costs);

}  // namespace muonscope
