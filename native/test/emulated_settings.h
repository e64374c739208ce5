// What a test sets of the emulated device holds until the test ends.
#pragma once

#include "test/cuda_shim/shim.h"

namespace muonscope::test {

class EmulatedSettings {
 public:
  EmulatedSettings() = default;
  ~EmulatedSettings() {
    cudaShim::settings() = before_;
    cudaShim::failNoCall();
  }
  EmulatedSettings(const EmulatedSettings&) = delete;
  EmulatedSettings& operator=(const EmulatedSettings&) = delete;

 private:
  const cudaShim::Settings before_ = cudaShim::settings();
};

}  // namespace muonscope::test
