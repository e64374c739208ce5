// Small matrix products for attention, where a BLAS call costs more than it computes and half of each product is
// masked: every tile of rows has its own range of columns or of the inner dimension.
#pragma once

#include <cstdint>

#include "backend/cpu/vector.h"

namespace muonscope {

inline constexpr int64_t kTileRows = 6;   // 6 × 16 accumulators: 12 AVX registers of 16
inline constexpr int64_t kTileCols = 16;

MUONSCOPE_INLINE int64_t roundToTile(int64_t n) { return (n + kTileCols - 1) / kTileCols * kTileCols; }

// C[Rows, n] (=|+=) Σ_{k0 ≤ k < k1} op(A)[:, k]·B[k, n]; n a multiple of kTileCols. op(A)(i, k) is a[i·lda + k], or
// a[k·lda + i] when TransposeA.
template <int Rows, bool TransposeA, bool Add>
MUONSCOPE_INLINE void tileRow(float* c, int64_t ldc, const float* a, int64_t lda, const float* b, int64_t ldb, int64_t n,
                              int64_t k0, int64_t k1) {
  for (int64_t j = 0; j < n; j += kTileCols) {
    Vector8 sum[Rows][2];
#pragma GCC unroll 6
    for (int i = 0; i < Rows; i++) {
      if constexpr (Add) {
        sum[i][0] = load8(c + i * ldc + j);
        sum[i][1] = load8(c + i * ldc + j + 8);
      } else {
        sum[i][0] = Vector8{};
        sum[i][1] = Vector8{};
      }
    }
    for (int64_t k = k0; k < k1; k++) {
      const Vector8 left = load8(b + k * ldb + j);
      const Vector8 right = load8(b + k * ldb + j + 8);
#pragma GCC unroll 6
      for (int i = 0; i < Rows; i++) {
        const float x = TransposeA ? a[k * lda + i] : a[i * lda + k];
        sum[i][0] += x * left;
        sum[i][1] += x * right;
      }
    }
#pragma GCC unroll 6
    for (int i = 0; i < Rows; i++) {
      store8(c + i * ldc + j) = sum[i][0];
      store8(c + i * ldc + j + 8) = sum[i][1];
    }
  }
}

// The same for 1 … kTileRows rows.
template <bool TransposeA, bool Add>
MUONSCOPE_INLINE void tileRows(int64_t rows, float* c, int64_t ldc, const float* a, int64_t lda, const float* b,
                               int64_t ldb, int64_t n, int64_t k0, int64_t k1) {
  switch (rows) {
    case 6: return tileRow<6, TransposeA, Add>(c, ldc, a, lda, b, ldb, n, k0, k1);
    case 5: return tileRow<5, TransposeA, Add>(c, ldc, a, lda, b, ldb, n, k0, k1);
    case 4: return tileRow<4, TransposeA, Add>(c, ldc, a, lda, b, ldb, n, k0, k1);
    case 3: return tileRow<3, TransposeA, Add>(c, ldc, a, lda, b, ldb, n, k0, k1);
    case 2: return tileRow<2, TransposeA, Add>(c, ldc, a, lda, b, ldb, n, k0, k1);
    default: return tileRow<1, TransposeA, Add>(c, ldc, a, lda, b, ldb, n, k0, k1);
  }
}

}  // namespace muonscope
