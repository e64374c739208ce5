// What to say of a driver that is missing or too old.
#include "backend/cuda/driver.h"

#include <cuda_runtime.h>

namespace muonscope::cuda {
namespace {

// CUDA Toolkit Release Notes, "CUDA Toolkit and Minimum Required Driver Versions": for every minor version of 13 and of 12.
const char* neededDriver() { return CUDART_VERSION >= 13000 ? "580" : "525"; }

// 13010 is 13.1 (CUDA Runtime API, cudaDriverGetVersion).
std::string cudaVersion(int version) {
  return "CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::string driverAdvice() {
  int found = 0;
  const bool known = cudaDriverGetVersion(&found) == cudaSuccess && found > 0;  // 0: none
  return std::string("NVIDIA's driver must be ") + neededDriver() + " or newer (for " + cudaVersion(CUDART_VERSION) + "); " +
         (known ? "the one here is made for " + cudaVersion(found) + ". Update it" : "none was found. Install it") +
         ": https://www.nvidia.com/drivers, or your distribution's package.";
}

}  // namespace muonscope::cuda
