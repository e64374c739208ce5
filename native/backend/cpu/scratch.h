// Working memory that a primitive borrows for the length of one call: grows to the largest request and is kept, so
// that a step allocates nothing once it has run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace muonscope {

class Scratch {
 public:
  // Room for `count` values, 64-byte aligned, contents undefined; valid until the next call. Throws std::bad_alloc.
  template <class T>
  T* get(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (bytes > bytes_) {
      memory_.reset();
      bytes_ = 0;
      memory_.reset(::operator new(bytes, kAlignment));
      bytes_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(void* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<void, Free> memory_;
  size_t bytes_ = 0;
};

}  // namespace muonscope
