// The CUDA backend on the emulated device of test/cuda_shim.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace muonscope::test {

// "fp32", "tf32", "bf16" or "auto"
std::unique_ptr<Backend> makeEmulatedCudaBackend(const std::string& precision);

}  // namespace muonscope::test
