#include "core/backends.h"

#include <stdexcept>

namespace muonscope {
namespace {

constexpr int kMostThreads = 1024;
constexpr const char* kNoCuda =
    "this build has no CUDA backend; choose the backend \"cpu\", or \"auto\" for the best one available";

}  // namespace

std::vector<BackendAvailability> listBackends() {
  return {{"cpu", true, makeCpuBackend(0)->info().description}, {"cuda", false, kNoCuda}};
}

std::unique_ptr<Backend> makeBackend(const std::string& id, int threads) {
  if (threads < 0 || threads > kMostThreads)
    throw std::invalid_argument("threads: expected 0 (one per physical core) to " + std::to_string(kMostThreads) +
                                ", received " + std::to_string(threads));
  if (id == "cpu" || id == "auto") return makeCpuBackend(threads);
  if (id == "cuda") throw std::invalid_argument(std::string("backend \"cuda\" is not available: ") + kNoCuda);
  throw std::invalid_argument("backend: expected \"auto\", \"cpu\" or \"cuda\", received \"" + id + "\"");
}

}  // namespace muonscope
