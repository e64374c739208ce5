// One head of one sequence, made ready for the products: QK-norm, RoPE, and transposed copies; and the way back.
#pragma once

#include <cmath>

#include "backend/backend.h"
#include "backend/cpu/rms_epsilon.h"
#include "backend/cpu/tile_product.h"

namespace muonscope {

// Where one head lies in qkv[B·T, 3C]: rows `stride` floats apart.
struct HeadSource {
  const float* q;
  const float* k;
  const float* v;
  int64_t stride;
};

// Rows are padded with zeros to `width` (D rounded up to a tile), transposed copies to `length` (T rounded up).
struct HeadBuffers {
  int64_t time, dim, width, length;
  float* q;         // [T, width], normalised, rotated and divided by √D
  float* k;         // [T, width], normalised and rotated
  float* v;         // [T, width]
  float* kT;        // [D, length]
  float* vT;        // [D, length], backward only
  float* inverseQ;  // [T], 1/RMS
  float* inverseK;  // [T]
};

// y = x·r·factor, rotated: (x₁, x₂) → (x₁·cos + x₂·sin, x₂·cos − x₁·sin), the halves of the row as pairs, as
// modded-nanogpt's Rotary does; norm before rotation, as it does. Returns r = 1/RMS.
MUONSCOPE_INLINE float normalizeAndRotate(float* y, const float* x, const float* cosines, const float* sines,
                                          int64_t dim, float factor) {
  const float r = 1.0f / std::sqrt(dot(x, x, dim) / static_cast<float>(dim) + kRmsEpsilon);
  const float scale = r * factor;
  const int64_t half = dim / 2;
#pragma omp simd
  for (int64_t d = 0; d < half; d++) {
    const float first = x[d] * scale, second = x[d + half] * scale;
    y[d] = first * cosines[d] + second * sines[d];
    y[d + half] = second * cosines[d] - first * sines[d];
  }
  return r;
}

// dx of y = normalizeAndRotate(x) for dy, which is overwritten.
MUONSCOPE_INLINE void normalizeAndRotateBackward(float* dx, float* dy, const float* x, float r, const float* cosines,
                                                 const float* sines, int64_t dim, float factor) {
  const int64_t half = dim / 2;
#pragma omp simd
  for (int64_t d = 0; d < half; d++) {
    const float first = (dy[d] * cosines[d] - dy[d + half] * sines[d]) * factor;
    const float second = (dy[d] * sines[d] + dy[d + half] * cosines[d]) * factor;
    dy[d] = first;
    dy[d + half] = second;
  }
  const float radial = r * r * r * dot(dy, x, dim) / static_cast<float>(dim);
#pragma omp simd
  for (int64_t d = 0; d < dim; d++) dx[d] = r * dy[d] - radial * x[d];
}

// to[cols, ldTo] = from[rows, cols]ᵀ; columns of `to` from `rows` up to ldTo are set to zero.
MUONSCOPE_INLINE void transposePadded(float* to, int64_t ldTo, const float* from, int64_t ldFrom, int64_t rows,
                                      int64_t cols) {
  for (int64_t j = 0; j < cols; j++) {
    float* row = to + j * ldTo;
    for (int64_t i = 0; i < rows; i++) row[i] = from[i * ldFrom + j];
    for (int64_t i = rows; i < ldTo; i++) row[i] = 0;
  }
}

MUONSCOPE_INLINE void copyPadded(float* to, int64_t width, const float* from, int64_t stride, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; i++, to += width, from += stride) {
    for (int64_t j = 0; j < cols; j++) to[j] = from[j];
    for (int64_t j = cols; j < width; j++) to[j] = 0;
  }
}

MUONSCOPE_INLINE void prepareHead(const HeadBuffers& h, const HeadSource& from, const Backend::Attention& a,
                                  bool backward) {
  const float factor = 1.0f / std::sqrt(static_cast<float>(h.dim));
  const int64_t half = h.dim / 2;
  for (int64_t t = 0; t < h.time; t++) {
    float* q = h.q + t * h.width;
    float* k = h.k + t * h.width;
    const float* cosines = a.cosines + t * half;
    const float* sines = a.sines + t * half;
    h.inverseQ[t] = normalizeAndRotate(q, from.q + t * from.stride, cosines, sines, h.dim, factor);
    h.inverseK[t] = normalizeAndRotate(k, from.k + t * from.stride, cosines, sines, h.dim, 1.0f);
    for (int64_t d = h.dim; d < h.width; d++) q[d] = k[d] = 0;
  }
  transposePadded(h.kT, h.length, h.k, h.width, h.time, h.dim);
  if (backward)
    transposePadded(h.vT, h.length, from.v, from.stride, h.time, h.dim);
  else
    copyPadded(h.v, h.width, from.v, from.stride, h.time, h.dim);
}

}  // namespace muonscope
