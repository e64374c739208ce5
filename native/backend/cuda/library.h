// What muonscope_cuda.so hands to the addon that loads it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace muonscope {

struct CudaLibrary {
  // The addon and the library are built together; another version's library is refused.
  const char* version;
  // Throws std::runtime_error, with what to do, when the driver or a CUDA library is missing or too old.
  BackendAvailability (*availability)();
  std::unique_ptr<Backend> (*make)(const BackendOptions& options, void (*symmetricEigenvalues)(double*, double*, int64_t));
};

// The one symbol that the library exports, and its type.
constexpr const char* cudaLibrarySymbol = "muonscope_cuda_library";
using CudaLibraryFunction = const CudaLibrary* (*)();

}  // namespace muonscope
