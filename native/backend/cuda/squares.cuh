// Squares of floats added up in fp64, where they are exact.
#pragma once

#include "backend/cuda/floats.cuh"

namespace muonscope::cuda {

// Four sums side by side hide the latency of an addition.
__device__ inline void addSquares(double (&sums)[4], const Floats<4>& x) {
  for (int j = 0; j < 4; j++) sums[j] += static_cast<double>(x.at[j]) * static_cast<double>(x.at[j]);
}

__device__ inline double total(const double (&sums)[4]) { return (sums[0] + sums[1]) + (sums[2] + sums[3]); }

}  // namespace muonscope::cuda
