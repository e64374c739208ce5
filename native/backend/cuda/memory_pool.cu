// Blocks are as large as they were first asked for: those of a training run are the same in every step, so rounding them
// up would only hide writes beyond their end.
#include "backend/cuda/memory_pool.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <utility>

#include "backend/cuda/recording.h"

namespace muonscope::cuda {
namespace {

// A block that is this large may be larger than asked for by one part in `slack`; a smaller one by anything. Derived: so
// at most an eighth of the memory, and a megabyte for each block, is not used.
constexpr int64_t largeFrom = int64_t{1} << 20;
constexpr int64_t slack = 8;

class OutOfMemory : public std::bad_alloc {
 public:
  OutOfMemory(double wanted, double available) {
    std::snprintf(text_, sizeof text_, "%.1f GiB wanted, %.1f GiB free", wanted / 0x1p30, available / 0x1p30);
  }
  const char* what() const noexcept override { return text_; }

 private:
  char text_[64];
};

// Whether there was memory. Any other error is thrown.
bool tryAllocate(void** p, int64_t bytes) {
  const cudaError_t error = cudaMalloc(p, static_cast<size_t>(bytes));
  if (error != cudaErrorMemoryAllocation) {
    check(error, "allocating device memory");
    return true;
  }
  cudaGetLastError();  // it is dealt with
  return false;
}

}  // namespace

MemoryPool::~MemoryPool() {
  // Errors can only be those of a device that is lost, and then the memory is too.
  cudaSetDevice(stream_.device);
  for (const auto& [size, p] : kept_) cudaFree(p);
  for (const auto& [p, block] : used_) cudaFree(p);
}

void* MemoryPool::allocate(int64_t bytes) {
  refuseWhileRecording(stream_, "allocating device memory");
  bytes = std::max<int64_t>(bytes, 1);
  auto block = find(bytes);
  if (block == kept_.end()) block = add(bytes);
  void* p = block->second;
  auto& place = used_[p];
  place = kept_.extract(block);
  return p;
}

void MemoryPool::release(void* p) noexcept {
  const auto block = used_.find(p);
  if (block == used_.end()) return;
  kept_.insert(std::move(block->second));
  used_.erase(block);
}

int64_t MemoryPool::freeBytes() const {
  check(cudaSetDevice(stream_.device), "choosing the device");
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "asking for the free device memory");
  int64_t bytes = static_cast<int64_t>(available);
  for (const auto& [size, p] : kept_) bytes += size;
  return bytes;
}

MemoryPool::Blocks::iterator MemoryPool::find(int64_t bytes) {
  const auto block = kept_.lower_bound(bytes);
  const bool fits = block != kept_.end() && (block->first < largeFrom || block->first - bytes <= bytes / slack);
  return fits ? block : kept_.end();
}

// Its place is made first, so that no error can lose a block.
MemoryPool::Blocks::iterator MemoryPool::add(int64_t bytes) {
  check(cudaSetDevice(stream_.device), "choosing the device");
  Blocks fresh;
  void*& p = fresh.emplace(bytes, nullptr)->second;
  if (!tryAllocate(&p, bytes)) {
    freeKept();
    if (!tryAllocate(&p, bytes)) throw OutOfMemory(static_cast<double>(bytes), static_cast<double>(freeBytes()));
  }
  return kept_.insert(fresh.extract(fresh.begin()));
}

void MemoryPool::freeKept() {
  check(cudaStreamSynchronize(stream_.handle), "waiting for work that may use memory to be freed");
  for (; !kept_.empty(); kept_.erase(kept_.begin())) check(cudaFree(kept_.begin()->second), "freeing device memory");
}

}  // namespace muonscope::cuda
