// Eight floats at once, and dot products with them. GCC sums an `omp simd` reduction through memory, one lane after
// the other, which costs more than the products where rows are short (measured in attention).
#pragma once

#include <cstdint>

#include "backend/cpu/clones.h"

namespace muonscope {

// Lowered to what the target has: two SSE registers, one AVX. Loads and stores need no alignment.
using Vector8 = float __attribute__((vector_size(32), aligned(4), may_alias));

MUONSCOPE_INLINE const Vector8& load8(const float* p) { return *reinterpret_cast<const Vector8*>(p); }
MUONSCOPE_INLINE Vector8& store8(float* p) { return *reinterpret_cast<Vector8*>(p); }

MUONSCOPE_INLINE float horizontalSum(const Vector8& s) {
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

// Σ a_i·b_i
MUONSCOPE_INLINE float dot(const float* a, const float* b, int64_t n) {
  Vector8 even{}, odd{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    even += load8(a + i) * load8(b + i);
    odd += load8(a + i + 8) * load8(b + i + 8);
  }
  float total = horizontalSum(even + odd);
  for (; i < n; i++) total += a[i] * b[i];
  return total;
}

// Σ a_i
MUONSCOPE_INLINE float sum(const float* a, int64_t n) {
  Vector8 even{}, odd{};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    even += load8(a + i);
    odd += load8(a + i + 8);
  }
  float total = horizontalSum(even + odd);
  for (; i < n; i++) total += a[i];
  return total;
}

}  // namespace muonscope
