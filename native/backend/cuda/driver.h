// NVIDIA's driver: which one is needed, which one is here.
#pragma once

#include <string>

namespace muonscope::cuda {

// "NVIDIA's driver must be 580 or newer (for CUDA 13.0); the one here is made for CUDA 12.8. Update it: …"
std::string driverAdvice();

}  // namespace muonscope::cuda
