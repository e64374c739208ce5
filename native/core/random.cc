// SplitMix64 (Steele, Lea & Flood 2014) as a hash of the counter, and Box–Muller in double precision.
#include "core/random.h"

#include <cmath>
#include <numbers>

namespace muonscope {
namespace {

// The n-th output of SplitMix64 seeded with `key`.
uint64_t splitMix(uint64_t key, uint64_t n) {
  uint64_t z = key + (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// FNV-1a, 64 bits.
uint64_t hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

// In (0, 1): 53 bits and a half.
double uniform(uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }

}  // namespace

RandomStream::RandomStream(uint64_t seed, std::string_view name) : key_(splitMix(seed ^ hash(name), 0)) {}

double RandomStream::normal(uint64_t n) const {
  const double radius = std::sqrt(-2 * std::log(uniform(splitMix(key_, 2 * n))));
  return radius * std::cos(2 * std::numbers::pi * uniform(splitMix(key_, 2 * n + 1)));
}

}  // namespace muonscope
