// How a stream begins. A library that is given nothing but the handle of a stream (the stand-in for cuBLASLt) enqueues its work
// through this.
#pragma once

struct CUstream_st;

namespace cudaShim {

struct StreamHook {
  // run(data) in the order of the stream, once for each launch of the graph that is captured if one is; it must not throw.
  // destroy(data) when it will not run again.
  void (*enqueue)(CUstream_st* stream, void (*run)(void* data), void* data, void (*destroy)(void* data));
};

}  // namespace cudaShim
