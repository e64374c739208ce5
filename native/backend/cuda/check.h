// CUDA errors become exceptions.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace muonscope::cuda {

// What a person can do about an error, or nothing.
std::string remedy(cudaError_t error);

// Throws std::runtime_error: what was tried, CUDA's name and words for the error, and what to do.
inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": CUDA answered " + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ")." +
                           remedy(error));
}

}  // namespace muonscope::cuda
