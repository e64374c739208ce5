// Host memory from which copies to the device go on while the host fills other such memory.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstdint>

#include "backend/cuda/check.h"
#include "backend/cuda/launch.h"

namespace muonscope::cuda {

class PinnedRing {
 public:
  PinnedRing() = default;
  ~PinnedRing() {
    for (const Buffer& b : buffers_) {
      if (b.data) cudaFreeHost(b.data);
      if (b.copied) cudaEventDestroy(b.copied);
    }
  }
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;

  // Calls fill(void*) with page-locked memory of `bytes` bytes and copies what it wrote to `to`. Waits where the copy
  // that last used this memory, as many before as there are buffers, is still to be done.
  template <class Fill>
  void upload(const Stream& stream, void* to, int64_t bytes, const Fill& fill) {
    Buffer& b = buffers_[next_];
    next_ = (next_ + 1) % buffers_.size();
    reserve(stream, b, bytes);
    fill(b.data);
    check(cudaMemcpyAsync(to, b.data, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream.handle),
          "copying to the device");
    check(cudaEventRecord(b.copied, stream.handle), "marking the end of a copy");
  }

 private:
  struct Buffer {
    void* data = nullptr;
    int64_t bytes = 0;
    cudaEvent_t copied = nullptr;
  };

  static void reserve(const Stream& stream, Buffer& b, int64_t bytes) {
    check(cudaSetDevice(stream.device), "choosing the device");
    if (!b.copied) check(cudaEventCreateWithFlags(&b.copied, cudaEventDisableTiming), "creating an event");
    check(cudaEventSynchronize(b.copied), "waiting for a copy");  // at once where none was recorded
    if (bytes <= b.bytes) return;
    if (b.data) check(cudaFreeHost(b.data), "freeing page-locked memory");
    b.data = nullptr;
    b.bytes = 0;
    check(cudaMallocHost(&b.data, static_cast<size_t>(bytes)), "allocating page-locked memory");
    b.bytes = bytes;
  }

  // A micro-batch takes three (inputs, targets, where which token stands): so many that the host prepares the next one, and
  // most of one more, while the device computes.
  std::array<Buffer, 8> buffers_;
  size_t next_ = 0;
};

}  // namespace muonscope::cuda
