// Device memory that is kept when it is released and given out again: cudaMalloc and cudaFree make the device wait.
// All work is on one stream, so who gets a block after another uses it after the other, without waiting.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

#include "backend/cuda/launch.h"

namespace muonscope::cuda {

class MemoryPool {
 public:
  explicit MemoryPool(const Stream& stream) : stream_(stream) {}
  // Frees everything, also what was not released: nobody may use it any more.
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // 256-byte aligned, with anything in it. Throws std::bad_alloc whose message has the numbers.
  void* allocate(int64_t bytes);
  void release(void* p) noexcept;
  // Bytes that `allocate` can still give: what the device has, and what is kept.
  int64_t freeBytes() const;

 private:
  // Blocks by size. A block in use keeps its place here as a node, so that releasing it needs no memory.
  using Blocks = std::multimap<int64_t, void*>;

  Blocks::iterator find(int64_t bytes);
  Blocks::iterator add(int64_t bytes);
  void freeKept();

  const Stream stream_;
  Blocks kept_;
  std::unordered_map<void*, Blocks::node_type> used_;
};

}  // namespace muonscope::cuda
