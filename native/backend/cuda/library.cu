// What this library hands to the addon: one function.
#include "backend/cuda/library.h"

#include "backend/cuda/blas_lt.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/devices.h"

namespace muonscope::cuda {
namespace {

// Why no device can be used; empty when one can.
std::string problem(const std::vector<Device>& devices) {
  for (const Device& device : devices)
    if (device.usable()) return BlasLt::problem();
  return "No GPU here can be used.";
}

BackendAvailability availability() {
  BackendAvailability answer{"cuda", false, "", {}};
  const std::vector<Device> devices = listDevices();
  std::string all;
  for (const Device& device : devices) {
    answer.devices.push_back(device.words());
    all += (all.empty() ? "" : "; ") + device.words();
  }
  answer.detail = problem(devices);
  answer.available = answer.detail.empty();
  answer.detail += (answer.available ? "" : " ") + all;
  return answer;
}

std::unique_ptr<Backend> make(const BackendOptions& options, void (*symmetricEigenvalues)(double*, double*, int64_t)) {
  return std::make_unique<CudaBackend>(options, symmetricEigenvalues);
}

}  // namespace
}  // namespace muonscope::cuda

extern "C" __attribute__((visibility("default"))) const muonscope::CudaLibrary* muonscope_cuda_library() {
  static const muonscope::CudaLibrary library{MUONSCOPE_VERSION, muonscope::cuda::availability, muonscope::cuda::make};
  return &library;
}
