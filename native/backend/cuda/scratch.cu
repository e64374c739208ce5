// Only grows: the old block goes back to the pool, which gives it to work that comes later on the stream.
#include "backend/cuda/scratch.h"

#include <utility>

#include "backend/cuda/memory_pool.h"

namespace muonscope::cuda {

Scratch::~Scratch() {
  if (data_) pool_.release(data_);
}

void* Scratch::bytes(int64_t n) {
  if (n > size_ || !data_) {
    void* grown = pool_.allocate(n);
    if (void* old = std::exchange(data_, grown)) pool_.release(old);
    size_ = n;
  }
  return data_;
}

}  // namespace muonscope::cuda
