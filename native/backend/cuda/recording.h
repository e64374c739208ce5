// Whether a stream records what it is asked for, for a graph, instead of doing it; and what then must not happen.
#pragma once

#include <stdexcept>
#include <string>

#include "backend/cuda/check.h"
#include "backend/cuda/launch.h"

namespace muonscope::cuda {

inline bool isRecording(const Stream& stream) {
  cudaStreamCaptureStatus status{};
  check(cudaStreamIsCapturing(stream.handle, &status), "asking whether work is recorded");
  return status != cudaStreamCaptureStatusNone;
}

// `what`: "allocating". CUDA would refuse some of it too, but then the recording is lost and the reason not told.
inline void refuseWhileRecording(const Stream& stream, const char* what) {
  if (isRecording(stream))
    throw std::runtime_error(std::string(what) +
                             ": expected outside of work that is prepared, received within it. Do the work once without "
                             "preparing it, so that it has the memory it needs, and move what waits out of it.");
}

}  // namespace muonscope::cuda
