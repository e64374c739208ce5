// Stand-in for CUDA's header: bfloat16, to nearest with ties to even.
#pragma once

#include <cstdint>
#include <cstring>

#include "test/cuda_shim/language.h"

struct __nv_bfloat16 {
  uint16_t bits;

  __nv_bfloat16() = default;
  __nv_bfloat16(float x);
  operator float() const;
};

struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;

  __nv_bfloat162() = default;
  __nv_bfloat162(__nv_bfloat16 x_, __nv_bfloat16 y_) : x(x_), y(y_) {}
};

inline float __bfloat162float(__nv_bfloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}

inline __nv_bfloat16 __float2bfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  __nv_bfloat16 y;
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    y.bits = 0x7fff;  // the NaN that the device's conversion answers (PTX ISA, "cvt": canonical NaN)
  else
    y.bits = static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
  return y;
}

inline __nv_bfloat16::__nv_bfloat16(float x) : bits(__float2bfloat16(x).bits) {}
inline __nv_bfloat16::operator float() const { return __bfloat162float(*this); }

inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {__float2bfloat16(x), __float2bfloat16(y)}; }
inline float __low2float(__nv_bfloat162 x) { return __bfloat162float(x.x); }
inline float __high2float(__nv_bfloat162 x) { return __bfloat162float(x.y); }
inline float2 __bfloat1622float2(__nv_bfloat162 x) { return make_float2(__low2float(x), __high2float(x)); }
