// How a stream begins. A library that is given nothing but the handle of a stream (the stand-in for cuBLASLt) enqueues its work
// through this.
#pragma once

#include <cstddef>

struct CUstream_st;

namespace cudaShim {

struct StreamHook {
  // run(data) in the order of the stream, once for each launch of the graph that is captured if one is; it must not throw.
  // destroy(data) when it will not run again.
  void (*enqueue)(CUstream_st* stream, void (*run)(void* data), void* data, void (*destroy)(void* data));
  // Whether the stream's device is the current one and none of `memory` is another device's.
  bool (*mayUse)(CUstream_st* stream, const void* const* memory, size_t count);
};

}  // namespace cudaShim
