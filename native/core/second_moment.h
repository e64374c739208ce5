// The normalisation: second moments of a run's matrices, and the division by their roots.
#pragma once

#include <vector>

#include "core/device_buffer.h"
#include "core/matrix_chunk.h"
#include "core/step_costs.h"

namespace muonscope {

class SecondMoment {
 public:
  // `chunks`: what it will be applied to, all or parts of them.
  SecondMoment(Backend& backend, const std::vector<MatrixChunk>& chunks, int ranks);
  // v ← beta2·v + (1 − beta2)·mean square of x; then, when the run normalises, x ← x/(√v + eps). `x`: by rank, the
  // rank's rows of each matrix. Column statistics are all-reduced over the ranks, cols floats a matrix and rank.
  void apply(const Run& run, const std::vector<Batch>& x, StepCosts& costs);

 private:
  void columns(const Run& run, const std::vector<Batch>& x, StepCosts& costs);
  void allReduceColumns(const Run& run, StepCosts& costs);

  Backend& backend_;
  std::vector<DeviceBuffer> fresh_;  // by rank: this step's mean squares of columns
};

}  // namespace muonscope
