// The order of threads and blocks: MUONSCOPE_SHIM_ORDER or what a test sets.
#include "test/cuda_shim/order.h"

#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>

namespace cudaShim {

namespace {

OrderState stateOf(Order order, uint64_t seed) {
  return {order, seed * 0x9e3779b97f4a7c15u | 1};  // the golden ratio's bits (Knuth): neighbouring seeds begin far apart
}

OrderState fromEnvironment() {
  const char* value = std::getenv("MUONSCOPE_SHIM_ORDER");
  const std::string text = value ? value : "ascending";
  if (text == "ascending") return stateOf(Order::ascending, 1);
  if (text == "descending") return stateOf(Order::descending, 1);
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) return stateOf(Order::shuffled, std::stoull(text));
  throw std::invalid_argument("MUONSCOPE_SHIM_ORDER is \"" + text + "\"; expected ascending, descending or a seed, an integer.");
}

}  // namespace

OrderState& orderState() {
  static OrderState state = fromEnvironment();
  return state;
}

void setOrder(Order order, uint64_t seed) { orderState() = stateOf(order, seed); }

BlockOrder::BlockOrder(uint64_t n) : n_(n) {
  switch (orderState().order) {
    case Order::ascending: break;
    case Order::descending: step_ = offset_ = n - 1; break;
    case Order::shuffled:
      offset_ = random64() % n;
      // Below 2^32, so that step·i does not overflow: a grid has fewer than 2^31 · 2^16 · 2^16 blocks, one that can be run here 2^32.
      do step_ = random64() % n & 0xffffffffu;
      while (std::gcd(step_, n) != 1);
      break;
  }
}

}  // namespace cudaShim
