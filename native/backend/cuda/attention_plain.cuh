// Tiles of rows in shared memory in fp32, and a block's products of them in fp32 arithmetic: any even head dimension.
// 16 × 16 threads; each has tileRows/16 rows, 16 apart, of every product.
#pragma once

#include <type_traits>

#include "backend/cuda/attention_data.cuh"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/shared_memory.cuh"

namespace muonscope::cuda {

constexpr int plainSide = 16;
constexpr int plainThreads = plainSide * plainSide;

// For head dimensions up to `bound`, a multiple of 64. Four tiles and one of scores fit in the shared memory of sm_80.
template <int bound>
struct PlainTile {
  static constexpr int rows = bound <= 128 ? 64 : 32;
  static constexpr int perThread = rows / plainSide;
  static constexpr int groups = bound / (4 * plainSide);  // of 4 columns, of a thread's sums
  // 4 more than a multiple of 32: rows read at one column, 16 bytes each, lie in different banks, eight at a time.
  static constexpr int pitch = bound + 4;
  static constexpr int scoresPitch = rows + 4;
  static constexpr int blocks = bound == 64 ? 2 : 1;  // that fit into a multiprocessor's shared memory
  static constexpr int floats = rows * pitch;
  static constexpr int scoresFloats = rows * scoresPitch;
  using Scores = float[perThread][perThread];
  using Sums = float[perThread][groups][4];
};

__device__ inline int plainRow() { return threadIdx.x / plainSide; }
__device__ inline int plainColumn() { return threadIdx.x % plainSide; }

// A tile of a matrix of `time` rows, from row `first`; zeros beyond its end and from `dim` to the next multiple of 4.
template <int bound, class T>
__device__ inline void loadPlain(float* tile, const T* from, int64_t stride, int first, int time, int dim) {
  using Tile = PlainTile<bound>;
  const int width = (dim + 3) / 4 * 4;
  for (int row = threadIdx.x / warpSize32; row < Tile::rows; row += plainThreads / warpSize32) {
    const bool valid = first + row < time;
    for (int d = threadIdx.x % warpSize32; d < width; d += warpSize32)
      tile[row * Tile::pitch + d] = valid && d < dim ? toFloat(from[(first + row) * stride + d]) : 0.0f;
  }
}

__device__ inline float dotFour(float4 a, float4 b, float sum) { return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

// s = A·Bᵀ: rows of A, columns rows of B.
template <int bound>
__device__ inline void plainProducts(typename PlainTile<bound>::Scores& s, const float* a, const float* b, int dim) {
  using Tile = PlainTile<bound>;
  for (int i = 0; i < Tile::perThread; i++)
    for (int j = 0; j < Tile::perThread; j++) s[i][j] = 0;
  for (int d = 0; d < dim; d += 4) {
    float4 x[Tile::perThread], y[Tile::perThread];
    for (int i = 0; i < Tile::perThread; i++) {
      x[i] = *reinterpret_cast<const float4*>(a + (plainRow() + plainSide * i) * Tile::pitch + d);
      y[i] = *reinterpret_cast<const float4*>(b + (plainColumn() + plainSide * i) * Tile::pitch + d);
    }
    for (int i = 0; i < Tile::perThread; i++)
      for (int j = 0; j < Tile::perThread; j++) s[i][j] = dotFour(x[i], y[j], s[i][j]);
  }
}

// Shows a thread's scores to the others of its row.
template <int bound>
__device__ inline void storeScores(float* to, const typename PlainTile<bound>::Scores& s) {
  using Tile = PlainTile<bound>;
  for (int i = 0; i < Tile::perThread; i++)
    for (int j = 0; j < Tile::perThread; j++)
      to[(plainRow() + plainSide * i) * Tile::scoresPitch + plainColumn() + plainSide * j] = s[i][j];
}

// o += P·B: columns 4·plainColumn() + 64·g and the three after it.
template <int bound>
__device__ inline void plainAccumulate(typename PlainTile<bound>::Sums& o, const float* p, const float* b, int dim) {
  using Tile = PlainTile<bound>;
  for (int k = 0; k < Tile::rows; k += 4) {
    float weights[Tile::perThread][4];
    for (int i = 0; i < Tile::perThread; i++) {
      const float4 w = *reinterpret_cast<const float4*>(p + (plainRow() + plainSide * i) * Tile::scoresPitch + k);
      weights[i][0] = w.x, weights[i][1] = w.y, weights[i][2] = w.z, weights[i][3] = w.w;
    }
    for (int g = 0; g < Tile::groups; g++) {
      const int column = 4 * (plainColumn() + plainSide * g);
      if (column >= dim) break;
      for (int j = 0; j < 4; j++) {
        const float4 x = *reinterpret_cast<const float4*>(b + (k + j) * Tile::pitch + column);
        for (int i = 0; i < Tile::perThread; i++) {
          o[i][g][0] += weights[i][j] * x.x;
          o[i][g][1] += weights[i][j] * x.y;
          o[i][g][2] += weights[i][j] * x.z;
          o[i][g][3] += weights[i][j] * x.w;
        }
      }
    }
  }
}

// A thread's sums, its rows each times a factor, into a tile.
template <int bound>
__device__ inline void storeSums(float* tile, const typename PlainTile<bound>::Sums& o,
                                 const float (&factors)[PlainTile<bound>::perThread], int dim) {
  using Tile = PlainTile<bound>;
  for (int i = 0; i < Tile::perThread; i++)
    for (int g = 0; g < Tile::groups; g++) {
      const int column = 4 * (plainColumn() + plainSide * g);
      if (column >= dim) break;
      const float f = factors[i];
      *reinterpret_cast<float4*>(tile + (plainRow() + plainSide * i) * Tile::pitch + column) =
          make_float4(o[i][g][0] * f, o[i][g][1] * f, o[i][g][2] * f, o[i][g][3] * f);
    }
}

// Work on each row of a tile that is one of `time` rows, by a warp.
template <int bound, class Work>
__device__ inline void eachPlainRow(int first, int time, const Work& work) {
  for (int row = threadIdx.x / warpSize32; row < PlainTile<bound>::rows && first + row < time; row += plainThreads / warpSize32)
    work(row, static_cast<int>(threadIdx.x % warpSize32));
}

template <int bound, class T>
__device__ inline void storePlain(T* to, int64_t stride, const float* tile, int first, int time, int dim) {
  eachPlainRow<bound>(first, time, [&](int row, int lane) {
    const float* from = tile + row * PlainTile<bound>::pitch;
    for (int d = lane; d < dim; d += warpSize32) to[(first + row) * stride + d] = fromFloat<T>(from[d]);
  });
}

// work(bound) with the smallest tile that holds heads of `dim`.
template <class Work>
void withPlainBound(int dim, const Work& work) {
  if (dim <= 64)
    work(std::integral_constant<int, 64>{});
  else if (dim <= 128)
    work(std::integral_constant<int, 128>{});
  else
    work(std::integral_constant<int, plainLargestDim>{});
}

}  // namespace muonscope::cuda
