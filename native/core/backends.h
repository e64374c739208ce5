// The backends this build knows, by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace muonscope {

struct BackendAvailability {
  std::string id;
  bool available;
  std::string detail;  // device or BLAS, and threads; or why it is not available and what to do
};

std::vector<BackendAvailability> listBackends();

// `id`: "cpu", "cuda", or "auto" for the best one available. threads = 0: one per physical core.
// Throws std::invalid_argument for an unknown name, and, with a remedy, for one that is not available: never another
// backend in its place.
std::unique_ptr<Backend> makeBackend(const std::string& id, int threads);

}  // namespace muonscope
