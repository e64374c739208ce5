// Allocation, and how it is counted without being done.
#include "backend/backend.h"

#include <algorithm>
#include <map>

namespace muonscope {

namespace {

// Allocators hand out whole blocks: 512 bytes is what cudaMalloc and caching allocators over it round to.
constexpr int64_t block = 512;

// While memory is counted, what is handed out are names. None is a multiple of the alignment, as every address is, so that a
// name is known as one for ever: it is never taken for memory, whoever still holds it when the count is over.
constexpr uintptr_t alignment = 64, firstName = 8;

bool isName(const float* p) { return reinterpret_cast<uintptr_t>(p) % alignment != 0; }

}  // namespace

struct Backend::Count {
  int64_t now = 0, most = 0;
  std::map<float*, int64_t> sizes;
  uintptr_t next = firstName;
};

float* Backend::allocate(int64_t floats) {
  if (!counting_) return allocateMemory(floats);
  const int64_t bytes = (std::max<int64_t>(floats, 1) * static_cast<int64_t>(sizeof(float)) + block - 1) / block * block;
  auto* p = reinterpret_cast<float*>(counting_->next);
  counting_->next += static_cast<uintptr_t>(bytes);
  counting_->sizes[p] = bytes;
  counting_->now += bytes;
  counting_->most = std::max(counting_->most, counting_->now);
  return p;
}

void Backend::release(float* p) noexcept {
  if (!isName(p)) return releaseMemory(p);
  if (!counting_) return;
  const auto found = counting_->sizes.find(p);
  if (found == counting_->sizes.end()) return;
  counting_->now -= found->second;
  counting_->sizes.erase(found);
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
