// Working memory of one primitive at a time; grows to the largest use and stays.
#pragma once

#include <cstdint>

namespace muonscope::cuda {

class MemoryPool;

class Scratch {
 public:
  explicit Scratch(MemoryPool& pool) : pool_(pool) {}
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // `n` objects, 256-byte aligned, with anything in them; what was got before is gone once work launched later runs.
  template <class T>
  T* get(int64_t n) {
    return static_cast<T*>(bytes(n * static_cast<int64_t>(sizeof(T))));
  }

 private:
  void* bytes(int64_t n);

  MemoryPool& pool_;
  void* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace muonscope::cuda
