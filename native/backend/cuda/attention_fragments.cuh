// Tiles of rows of bf16 in shared memory, and warps' products of them on tensor cores. A warp works on 16·rowTiles rows
// of its own; fragments and their layouts are those of tensor_core.cuh.
#pragma once

#include "backend/cuda/attention_data.cuh"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/shared_memory.cuh"
#include "backend/cuda/tensor_core.cuh"

namespace muonscope::cuda {

constexpr int flashThreads = 128;
constexpr int flashWarps = flashThreads / warpSize32;
constexpr int flashStep = 64;  // rows of the tiles that a block's loop walks through

// The 16-byte piece `index` of a row. Eight rows' pieces at one index lie in different banks, for ldmatrix and for the
// stores of fragments: the low three bits of the index are exchanged by the row's.
template <int dim>
__device__ inline bf16* piece(bf16* tile, int row, int index) {
  return tile + row * dim + (index & ~7) * 8 + ((index ^ row) & 7) * 8;
}

// Begins to copy `rows` rows of a matrix of `time` rows, from row `first`; zeros beyond its end.
template <int dim, int rows>
__device__ inline void copyTile(bf16* tile, const bf16* from, int64_t stride, int first, int time) {
  constexpr int pieces = dim / 8, rowsAtOnce = flashThreads / pieces;
  static_assert(rowsAtOnce % 8 == 0, "the exchange of pieces is the same for all rows of a thread");
  const int index = threadIdx.x % pieces, row = threadIdx.x / pieces;
  bf16* to = piece<dim>(tile, row, index);
  from += (first + row) * stride + index * 8;
#pragma unroll
  for (int i = 0; i < rows; i += rowsAtOnce, from += rowsAtOnce * stride) copyAsync16(to + i * dim, from, first + row + i < time);
}

struct Fragment {
  uint32_t x[4];
};

// Rows of A as fragments, read from shared memory each time, or held in registers where there are enough.
template <int dim>
struct SharedRows {
  bf16* tile;
  int row;
  __device__ SharedRows(bf16* tile, int row) : tile(tile), row(row) {}
  __device__ Fragment operator()(int r, int k) const {
    const int lane = threadIdx.x % warpSize32;
    Fragment f;
    loadMatrix4(f.x, piece<dim>(tile, row + 16 * r + lane % 16, 2 * k + lane / 16));
    return f;
  }
};

template <int dim, int rowTiles>
struct HeldRows {
  Fragment fragments[rowTiles][dim / 16];
  __device__ HeldRows(bf16* tile, int row) {
    const SharedRows<dim> rows(tile, row);
#pragma unroll
    for (int r = 0; r < rowTiles; r++)
#pragma unroll
      for (int k = 0; k < dim / 16; k++) fragments[r][k] = rows(r, k);
  }
  __device__ Fragment operator()(int r, int k) const { return fragments[r][k]; }
};

__device__ inline void multiplyTwo(float (&left)[4], float (&right)[4], const Fragment& a, const Fragment& b) {
  const uint32_t bLeft[2] = {b.x[0], b.x[1]}, bRight[2] = {b.x[2], b.x[3]};
  mma16816(left, a.x, bLeft);
  mma16816(right, a.x, bRight);
}

// s = A·Bᵀ, B the `columns` rows of a tile from `row` on.
template <int dim, int rowTiles, int columns, class Rows>
__device__ inline void products(float (&s)[rowTiles][columns / 8][4], const Rows& a, bf16* tile, int row) {
  const int lane = threadIdx.x % warpSize32;
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int n = 0; n < columns / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) s[r][n][i] = 0;
#pragma unroll
  for (int k = 0; k < dim / 16; k++) {
    Fragment held[rowTiles];
#pragma unroll
    for (int r = 0; r < rowTiles; r++) held[r] = a(r, k);
#pragma unroll
    for (int n = 0; n < columns / 16; n++) {
      Fragment b;
      loadMatrix4(b.x, piece<dim>(tile, row + 16 * n + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
#pragma unroll
      for (int r = 0; r < rowTiles; r++) multiplyTwo(s[r][2 * n], s[r][2 * n + 1], held[r], b);
    }
  }
}

// The sums of a product are the A of the next one, rounded to bf16.
__device__ inline uint32_t packed(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return reinterpret_cast<const uint32_t&>(both);
}

template <int rowTiles, int columns>
__device__ inline void toFragments(Fragment (&a)[rowTiles][columns / 16], const float (&s)[rowTiles][columns / 8][4]) {
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int k = 0; k < columns / 16; k++)
#pragma unroll
      for (int i = 0; i < 4; i++) a[r][k].x[i] = packed(s[r][2 * k + i / 2][i % 2 * 2], s[r][2 * k + i / 2][i % 2 * 2 + 1]);
}

// o += A·B, B the `columns` rows of a tile from `row` on.
template <int dim, int rowTiles, int columns>
__device__ inline void accumulate(float (&o)[rowTiles][dim / 8][4], const Fragment (&a)[rowTiles][columns / 16], bf16* tile,
                                  int row) {
  const int lane = threadIdx.x % warpSize32;
#pragma unroll
  for (int k = 0; k < columns / 16; k++)
#pragma unroll
    for (int n = 0; n < dim / 16; n++) {
      Fragment b;
      loadMatrix4Transposed(b.x, piece<dim>(tile, row + 16 * k + lane % 16, 2 * n + lane / 16));
#pragma unroll
      for (int r = 0; r < rowTiles; r++) multiplyTwo(o[r][2 * n], o[r][2 * n + 1], a[r][k], b);
    }
}

// Where element i of the sums of row tile r and column tile n lies.
__device__ inline int fragmentRow(int r, int i) { return 16 * r + threadIdx.x % warpSize32 / 4 + i / 2 * 8; }
__device__ inline int fragmentColumn(int n, int i) { return 8 * n + threadIdx.x % 4 * 2 + i % 2; }

// Over the four lanes that share a row.
__device__ inline float rowSum(float x) {
  x += __shfl_xor_sync(allLanes, x, 1);
  return x + __shfl_xor_sync(allLanes, x, 2);
}

// Scores of keys after the query become −∞. Rows are queries and columns keys, or the other way round; `row` and
// `column` are the times of the first.
template <bool rowsAreKeys, int rowTiles, int columns>
__device__ inline void maskCausal(float (&s)[rowTiles][columns / 8][4], int row, int column) {
  if (rowsAreKeys ? column >= row + 16 * rowTiles - 1 : column + columns - 1 <= row) return;
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int n = 0; n < columns / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int ahead = column + fragmentColumn(n, i) - row - fragmentRow(r, i);
        if (rowsAreKeys ? ahead < 0 : ahead > 0) s[r][n][i] = -INFINITY;
      }
}

// Writes the warp's rows, which are those from `first` of `time` rows, by way of its rows of a tile: whole pieces go out.
template <int dim, int rowTiles>
__device__ inline void storeRows(bf16* to, int64_t stride, int first, int time, const float (&x)[rowTiles][dim / 8][4],
                                 bf16* tile, int row) {
  constexpr int pieces = dim / 8;
  const int lane = threadIdx.x % warpSize32;
  __syncwarp();
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int n = 0; n < dim / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i += 2)
        *reinterpret_cast<uint32_t*>(piece<dim>(tile, row + fragmentRow(r, i), n) + fragmentColumn(0, 0)) =
            packed(x[r][n][i], x[r][n][i + 1]);
  __syncwarp();
#pragma unroll
  for (int i = lane; i < 16 * rowTiles * pieces; i += warpSize32) {
    const int at = i / pieces, index = i % pieces;
    const auto* from = reinterpret_cast<const uint4*>(piece<dim>(tile, row + at, index));
    if (first + at < time) *reinterpret_cast<uint4*>(to + (first + at) * stride + index * 8) = *from;
  }
}

}  // namespace muonscope::cuda
