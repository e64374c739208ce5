// The way back through RoPE and QK-norm, of rows whose gradients lie in fragments.
#pragma once

#include "backend/cuda/attention_fragments.cuh"

namespace muonscope::cuda {

// d holds the gradients, but for 1/√D, of the rows y of a tile, normalised and rotated, which the warp takes from `row` on;
// they become those of what was normalised: with d' = d·scale and r = 1/RMS, r·(d' − y·(y·d')/D), rotated back. `first`
// is the time of the first row. The pairs of RoPE lie in the same lane.
template <int dim, int rowTiles>
__device__ inline void normBackward(float (&d)[rowTiles][dim / 8][4], bf16* tile, int row, int first, int head, int part,
                                    const AttentionData<bf16>& a) {
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
      const int at = fragmentRow(r, i), t = min(first + at, a.time - 1);  // rows beyond the last are not stored
      const auto y = [&](int n) {
        return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(piece<dim>(tile, row + at, n) + fragmentColumn(0, 0)));
      };
      float radial = 0;
#pragma unroll
      for (int n = 0; n < dim / 8; n++) radial += d[r][n][i] * y(n).x + d[r][n][i + 1] * y(n).y;
      radial = rowSum(radial) / dim;
      const float factor = a.inverse[a.inverseAt(head, part, t)] * a.scale;
      const int64_t angles = int64_t{t} * (dim / 2) + fragmentColumn(0, 0);
#pragma unroll
      for (int n = 0; n < dim / 16; n++) {
        constexpr int half = dim / 16;
        const float2 cosine = *reinterpret_cast<const float2*>(a.cosines + angles + 8 * n);
        const float2 sine = *reinterpret_cast<const float2*>(a.sines + angles + 8 * n);
        const float2 y1 = y(n), y2 = y(n + half);
        const float u0 = (d[r][n][i] - radial * y1.x) * factor, u1 = (d[r][n][i + 1] - radial * y1.y) * factor;
        const float v0 = (d[r][n + half][i] - radial * y2.x) * factor, v1 = (d[r][n + half][i + 1] - radial * y2.y) * factor;
        d[r][n][i] = u0 * cosine.x - v0 * sine.x;
        d[r][n][i + 1] = u1 * cosine.y - v1 * sine.y;
        d[r][n + half][i] = u0 * sine.x + v0 * cosine.x;
        d[r][n + half][i + 1] = u1 * sine.y + v1 * cosine.y;
      }
    }
}

}  // namespace muonscope::cuda
