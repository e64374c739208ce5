// The normalisation: second moments of a run's matrices, and the division by their roots.
#pragma once

#include <optional>
#include <vector>

#include "core/device_buffer.h"
#include "core/matrix_chunk.h"
#include "core/step_costs.h"

namespace muonscope {

class SecondMoment {
 public:
  // `most`: columns of a run's matrices at most, together, where statistics are of columns.
  SecondMoment(const Ranks& ranks, int lane, int64_t most);
  // v ← beta2·v + (1 − beta2)·mean square of x; then, when the run normalises, x ← x/(√v + eps). `x`: by rank, the
  // rank's rows of each matrix. Column statistics are all-reduced over the ranks, cols floats a matrix and rank.
  void apply(const Run& run, const std::vector<Batch>& x, StepCosts& costs);

 private:
  void columns(const Run& run, const std::vector<Batch>& x, StepCosts& costs);
  void allReduceColumns(const Run& run, StepCosts& costs);

  const Ranks& ranks_;
  int lane_;
  std::vector<DeviceBuffer> fresh_;      // by rank: this step's mean squares of columns
  std::optional<DeviceBuffer> brought_;  // to rank 0, from ranks elsewhere
};

}  // namespace muonscope
