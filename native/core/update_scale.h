// The factor s of the update s·Ô: which norm it is given.
#pragma once

#include <optional>
#include <vector>

#include "core/device_buffer.h"
#include "core/matrix_chunk.h"
#include "core/step_costs.h"

namespace muonscope {

// For each rank and matrix of a run:
//   paper     0.2·√size/‖Ô‖                       (arXiv 2510.05491 Algorithm 1, line 10)
//   preserve  ‖O‖/‖Ô‖·√max(1, rows/cols)          (zichongli5/NorMuon)
// over the whole matrix, or each over its rank's rows when the run's norm scope is local; 0 where Ô is zero.
// The global norm costs an all-reduce of one number a matrix and rank (paper) or two (preserve).
class UpdateScale {
 public:
  // `most`: matrices of a run at most.
  UpdateScale(const Ranks& ranks, int lane, int64_t most);
  // Takes the squares of O; `x` by rank, the rank's rows of each matrix. Needed before `compute` for runs that normalise and preserve.
  void takeBefore(const Run& run, const std::vector<Batch>& x, StepCosts& costs);
  // Takes the squares of Ô, and forms the factors.
  void compute(const Run& run, const std::vector<Batch>& x, StepCosts& costs);
  // [count], in the rank's memory, until the next run.
  const float* of(int rank) const { return scales_[static_cast<size_t>(rank)].data(); }

 private:
  void squares(std::vector<DeviceBuffer>& to, const std::vector<Batch>& x, StepCosts& costs);
  void allReduce(std::vector<DeviceBuffer>& squares, int64_t count);

  const Ranks& ranks_;
  int lane_;
  std::vector<DeviceBuffer> before_, after_;  // by rank: doubles, sums of squares
  std::vector<DeviceBuffer> scales_;          // by rank
  std::optional<DeviceBuffer> brought_;       // to rank 0, from ranks elsewhere
};

}  // namespace muonscope
