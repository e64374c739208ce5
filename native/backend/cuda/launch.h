// Where kernels are launched: a stream of a device, and the one function that launches.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "backend/cuda/check.h"

namespace muonscope::cuda {

struct Stream {
  int device = 0;
  cudaStream_t handle = nullptr;
  int multiprocessors = 1;  // of the device
  int major = 8;            // of its compute capability
};

constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Blocks for a loop over `items` with a stride of the whole grid: enough to fill the device, few enough to start fast.
inline unsigned gridFor(const Stream& stream, int64_t items, int64_t itemsPerBlock) {
  return static_cast<unsigned>(std::clamp<int64_t>(ceilDiv(items, itemsPerBlock), 1, 16 * int64_t{stream.multiprocessors}));
}

// Every kernel goes through here. `sharedBytes`: dynamic shared memory (see shared_memory.cuh). Nothing is launched for
// an empty grid.
template <class... Parameters, class... Arguments>
void launch(const Stream& stream, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t sharedBytes, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  check(cudaSetDevice(stream.device), "choosing the device");
  constexpr size_t withoutAsking = 48 * 1024;  // CUDA C++ Programming Guide, "Shared Memory": more must be asked for
  if (sharedBytes > withoutAsking)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(sharedBytes)),
          "asking for shared memory");
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = sharedBytes;
  config.stream = stream.handle;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...), "launching a kernel");
}

}  // namespace muonscope::cuda
