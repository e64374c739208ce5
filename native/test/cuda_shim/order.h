// In which order threads and blocks get their turns. Correct kernels do not depend on it; one that lacks a barrier does.
#pragma once

#include <bit>
#include <cstdint>

#include "test/cuda_shim/shim.h"

namespace cudaShim {

struct OrderState {
  Order order;
  uint64_t random;
};
OrderState& orderState();

// Never 0 (xorshift64, Marsaglia 2003).
inline uint64_t random64() {
  uint64_t& x = orderState().random;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

// The number of one of the bits that are set.
inline unsigned pick(unsigned bits) {
  switch (orderState().order) {
    case Order::ascending: return static_cast<unsigned>(std::countr_zero(bits));
    case Order::descending: return 31 - static_cast<unsigned>(std::countl_zero(bits));
    case Order::shuffled: break;
  }
  const unsigned turn = random64() >> 59;
  return (static_cast<unsigned>(std::countr_zero(std::rotr(bits, static_cast<int>(turn)))) + turn) % 32;
}

// A permutation of 0 … n - 1: i → (step·i + offset) mod n with a step that has no factor in common with n.
class BlockOrder {
 public:
  explicit BlockOrder(uint64_t n);
  uint64_t operator[](uint64_t i) const { return (step_ * i + offset_) % n_; }

 private:
  uint64_t n_, step_ = 1, offset_ = 0;
};

}  // namespace cudaShim
