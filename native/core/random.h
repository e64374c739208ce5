// Random numbers by counter: the n-th number of a named stream, the same on every platform, backend and thread count.
#pragma once

#include <cstdint>
#include <string_view>

namespace muonscope {

class RandomStream {
 public:
  // Streams of different names or seeds are independent of each other.
  RandomStream(uint64_t seed, std::string_view name);

  // The n-th standard normal number.
  double normal(uint64_t n) const;

 private:
  uint64_t key_;
};

}  // namespace muonscope
