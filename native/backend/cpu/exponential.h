// expf for loops that the compiler vectorises (libm's is scalar).
#pragma once

#include <bit>
#include <cstdint>

#include "backend/cpu/clones.h"

namespace muonscope {

// e^x for x ≤ 0 and moderate positive x, within 2 ulp on [-87, 88]; below, the smallest normal number (1.2e-38);
// NaN stays NaN. Range reduction x = n·ln 2 + r with ln 2 in two parts (Cody & Waite), then the Taylor polynomial
// of degree 7 on |r| ≤ ln(2)/2, whose remainder 0.35^8/8! is 5e-9, below half an ulp.
MUONSCOPE_INLINE float exponential(float x) {
  x = x < -87.3365f ? -87.3365f : x;  // comparisons are false for NaN, which passes
  x = x > 88.3762f ? 88.3762f : x;
  // Adding 1.5·2^23 rounds to an integer, which then stands in the low bits of the sum.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(exponent);
}

}  // namespace muonscope
