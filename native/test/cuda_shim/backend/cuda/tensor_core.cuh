// Stand-in for the backend's header of this name: the same instructions, carried out by the last lane of a warp that comes to one.
#pragma once

#include <cstdint>
#include <source_location>

#include "test/cuda_shim/async_copy.h"
#include "test/cuda_shim/tensor_core.h"

namespace muonscope::cuda {

inline void mma16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                     std::source_location where = std::source_location::current()) {
  cudaShim::multiplyFragments(d, a, b, where);
}

inline void loadMatrix4(uint32_t (&r)[4], const void* row, std::source_location where = std::source_location::current()) {
  cudaShim::loadFragments(r, row, false, where);
}

inline void loadMatrix4Transposed(uint32_t (&r)[4], const void* row, std::source_location where = std::source_location::current()) {
  cudaShim::loadFragments(r, row, true, where);
}

inline void copyAsync16(void* shared, const void* global, bool valid) { cudaShim::copyLater(shared, global, valid); }
inline void copyAsyncCommit() { cudaShim::closeGroup(); }

template <int pending>
void copyAsyncWait() {
  cudaShim::waitForGroups(pending);
}

}  // namespace muonscope::cuda
