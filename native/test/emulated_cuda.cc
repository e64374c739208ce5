#include "test/emulated_cuda.h"

#include "backend/cuda/cuda_backend.h"

namespace muonscope::test {

std::unique_ptr<Backend> makeEmulatedCudaBackend(const std::string& precision) {
  BackendOptions options;
  options.precision = precision;
  return std::make_unique<cuda::CudaBackend>(options, symmetricEigenvalues);
}

}  // namespace muonscope::test
