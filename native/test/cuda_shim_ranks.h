// For tests of the stand-in for CUDA with several devices: streams and memory of a device, and settings that are put back.
#pragma once

#include "backend/cuda/launch.h"
#include "test/cuda_shim/shim.h"
#include "test/cuda_shim_fixture.h"
#include "test/emulated_settings.h"

namespace muonscope::test {

// Until the test ends.
struct Devices {
  explicit Devices(int count, bool late = false) {
    cudaShim::settings().devices = count;
    cudaShim::settings().late = late;
  }
  EmulatedSettings settings;
};

// A stream of a device, and four numbers in its memory.
struct Rank {
  explicit Rank(int device) {
    stream.device = device;
    cuda::check(cudaSetDevice(device), "choosing a device");
    cuda::check(cudaStreamCreateWithFlags(&stream.handle, cudaStreamNonBlocking), "making a stream");
    cuda::check(cudaMalloc(&x, 4 * sizeof *x), "allocating");
    for (int i = 0; i < 4; ++i) x[i] = 0;
  }
  ~Rank() {
    cudaFree(x);
    cudaStreamDestroy(stream.handle);
  }
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;
  operator cudaStream_t() const { return stream.handle; }

  cuda::Stream stream;
  float* x = nullptr;
};

struct Event {
  explicit Event(int device, unsigned flags = cudaEventDisableTiming) {
    cuda::check(cudaSetDevice(device), "choosing a device");
    cuda::check(cudaEventCreateWithFlags(&handle, flags), "making an event");
  }
  ~Event() { cudaEventDestroy(handle); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return handle; }

  cudaEvent_t handle = nullptr;
};

}  // namespace muonscope::test
