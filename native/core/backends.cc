#include "core/backends.h"

#include <stdexcept>

namespace muonscope {

std::vector<BackendAvailability> listBackends() { return {cpuAvailability(), cudaAvailability()}; }

std::unique_ptr<Backend> makeBackend(const std::string& id, const BackendOptions& options) {
  if (id == "cpu") return makeCpuBackend(options);
  if (id == "auto") return cudaAvailability().available ? makeCudaBackend(options) : makeCpuBackend(options);
  if (id == "cuda") {
    if (const BackendAvailability cuda = cudaAvailability(); !cuda.available)
      throw std::invalid_argument("backend \"cuda\" is not available: " + cuda.detail);
    return makeCudaBackend(options);
  }
  throw std::invalid_argument("backend: expected \"auto\", \"cpu\" or \"cuda\", received \"" + id + "\"");
}

}  // namespace muonscope
