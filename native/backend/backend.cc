// Allocation, and how it is counted without being done.
#include "backend/backend.h"

#include <algorithm>
#include <map>

namespace muonscope {

struct Backend::Count {
  int64_t now = 0, most = 0;
  std::map<float*, int64_t> sizes;
  uintptr_t next = 64;
};

namespace {

// Allocators hand out whole blocks: 512 bytes is what cudaMalloc and caching allocators over it round to.
constexpr int64_t block = 512;

}  // namespace

float* Backend::allocate(int64_t floats) {
  if (!counting_) return allocateMemory(floats);
  const int64_t bytes = (std::max<int64_t>(floats, 1) * static_cast<int64_t>(sizeof(float)) + block - 1) / block * block;
  auto* p = reinterpret_cast<float*>(counting_->next);  // a name, not an address
  counting_->next += static_cast<uintptr_t>(bytes);
  counting_->sizes[p] = bytes;
  counting_->now += bytes;
  counting_->most = std::max(counting_->most, counting_->now);
  return p;
}

void Backend::release(float* p) noexcept {
  if (counting_) {
    if (const auto found = counting_->sizes.find(p); found != counting_->sizes.end()) {
      counting_->now -= found->second;
      counting_->sizes.erase(found);
      return;
    }
  }
  releaseMemory(p);
}

int64_t Backend::countBytes(const std::function<void()>& build) {
  Count count;
  counting_ = &count;
  try {
    build();
  } catch (...) {
    counting_ = nullptr;
    throw;
  }
  counting_ = nullptr;
  return count.most;
}

}  // namespace muonscope
