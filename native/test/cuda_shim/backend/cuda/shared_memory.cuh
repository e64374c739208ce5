// Stand-in for the backend's header of this name: dynamic shared memory of the running block.
#pragma once

#include "test/cuda_shim/scheduler.h"

namespace muonscope::cuda {

template <class T>
T* sharedMemory() {
  return reinterpret_cast<T*>(cudaShim::dynamicShared());
}

}  // namespace muonscope::cuda
