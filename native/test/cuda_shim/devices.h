// Which devices there are.
#pragma once

#include "test/cuda_shim/runtime_types.h"

namespace cudaShim {

// Of this thread.
int currentDevice();
// cudaSuccess, or why there is no such device.
cudaError_t usable(int device);

}  // namespace cudaShim
