// The backends this build knows, by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace muonscope {

// From the plainest to the fastest.
std::vector<BackendAvailability> listBackends();

// `id`: "cpu", "cuda", or "auto" for the fastest one available.
// Throws std::invalid_argument for an unknown name, and, with a remedy, for one that is not available: never another
// backend in its place.
std::unique_ptr<Backend> makeBackend(const std::string& id, const BackendOptions& options);

}  // namespace muonscope
