#include <stdexcept>

#include "backend/backend.h"

namespace muonscope {
std::unique_ptr<Backend> makeCudaBackend(const BackendOptions&) { throw std::runtime_error("temporary"); }
BackendAvailability cudaAvailability() { return {"cuda", false, "temporary", {}}; }
}  // namespace muonscope
