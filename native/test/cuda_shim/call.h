// What every function of the runtime does: one at a time, to fail where a test asked for it, and to remember an error.
#pragma once

#include <mutex>

#include "test/cuda_shim/shim.h"

namespace cudaShim {

std::recursive_mutex& apiLock();
// The error that a test wants of this call.
cudaError_t wantedFailure(const char* name);
void remember(cudaError_t error);

template <class Body>
cudaError_t call(const char* name, const Body& body) {
  const std::lock_guard lock(apiLock());
  cudaError_t error = wantedFailure(name);
  if (error == cudaSuccess) error = body();
  remember(error);
  return error;
}

}  // namespace cudaShim
