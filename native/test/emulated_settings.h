// What a test sets of the emulated devices, and which of them it makes the current one, holds until the test ends.
#pragma once

#include "test/cuda_shim/runtime.h"
#include "test/cuda_shim/shim.h"

namespace muonscope::test {

class EmulatedSettings {
 public:
  EmulatedSettings() { cudaGetDevice(&device_); }
  ~EmulatedSettings() {
    cudaShim::settings() = before_;
    cudaShim::failNoCall();
    cudaSetDevice(device_);
    cudaGetLastError();
  }
  EmulatedSettings(const EmulatedSettings&) = delete;
  EmulatedSettings& operator=(const EmulatedSettings&) = delete;

 private:
  const cudaShim::Settings before_ = cudaShim::settings();
  int device_ = 0;
};

}  // namespace muonscope::test
