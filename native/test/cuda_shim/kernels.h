// What an emulated device is made of and lets kernels use.
#pragma once

#include <cstddef>

#include "test/cuda_shim/scheduler.h"

namespace cudaShim {

constexpr int multiprocessors = 4;  // few: grids stay small, and loops with a stride of the grid go round
constexpr int cacheBytes = 50 << 20;  // NVIDIA H100 Tensor Core GPU Architecture, "L2 cache"

// What cudaFuncSetAttribute gave the kernel leave to on the current device, or what needs no leave.
size_t allowedShared(const void* kernel);
// Throws std::runtime_error where no device would take it.
void checkLaunch(const Launch& launch, size_t allowedShared);

}  // namespace cudaShim
