// Symmetric products by fp32 multiply-adds: of fp32 matrices, and of bf16 matrices that tensor cores cannot load. A block
// computes one tile from panels of the operands in shared memory while it fetches the next ones.
#pragma once

#include "backend/cuda/symmetric_product.cuh"

namespace muonscope::cuda {

// 16×16 threads, each with 4×4 elements of every 64×64 part. Large tiles have four such parts, so that a thread reads 16
// numbers for 64 multiply-adds.
template <class T, bool byColumns, int tile>
struct PlainTile {
  static constexpr int threads = 256, panelDepth = 16, part = 64, parts = tile / part;
  static constexpr int perThread = tile * panelDepth / threads;
  static constexpr int lead = tile + 4;  // rows begin four banks apart; still whole float4

  using Sums = float[parts][parts][4][4];
  struct Panels {
    float4 a[panelDepth][lead / 4], b[panelDepth][lead / 4];  // element (depth, row)
  };

  __device__ static int thread() { return static_cast<int>(threadIdx.x); }

  // What a thread brings of a panel; neighbouring threads read neighbours in memory.
  __device__ static int rowOf(int i) {
    return byColumns ? thread() % tile : thread() / panelDepth + i * (threads / panelDepth);
  }
  __device__ static int depthOf(int i) { return byColumns ? thread() / tile + i * (threads / tile) : thread() % panelDepth; }

  __device__ static void fetch(float (&values)[perThread], const T* a, int first, int k0, int size, int depth) {
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      const int row = first + rowOf(i), k = k0 + depthOf(i);
      const bool inside = row < size && k < depth;
      values[i] = inside ? toFloat(a[byColumns ? int64_t{k} * size + row : int64_t{row} * depth + k]) : 0;
    }
  }

  __device__ static void put(float4 (&panel)[panelDepth][lead / 4], const float (&values)[perThread]) {
#pragma unroll
    for (int i = 0; i < perThread; i++) reinterpret_cast<float*>(panel[depthOf(i)])[rowOf(i)] = values[i];
  }

  __device__ static int threadRow() { return thread() / 16; }  // of four elements
  __device__ static int threadCol() { return thread() % 16; }

  __device__ static void multiply(Sums& sums, const Panels& panels) {
#pragma unroll
    for (int k = 0; k < panelDepth; k++) {
      float4 a[parts], b[parts];
#pragma unroll
      for (int i = 0; i < parts; i++) {
        a[i] = panels.a[k][i * (part / 4) + threadRow()];
        b[i] = panels.b[k][i * (part / 4) + threadCol()];
      }
#pragma unroll
      for (int i = 0; i < parts; i++) {
#pragma unroll
        for (int j = 0; j < parts; j++) {
          const float x[4] = {a[i].x, a[i].y, a[i].z, a[i].w}, y[4] = {b[j].x, b[j].y, b[j].z, b[j].w};
#pragma unroll
          for (int r = 0; r < 4; r++) {
#pragma unroll
            for (int c = 0; c < 4; c++) sums[i][j][r][c] += x[r] * y[c];
          }
        }
      }
    }
  }

  __device__ static void accumulate(Sums& sums, const SymmetricProduct<T>& p, int row0, int col0, Panels (&panels)[2]) {
    const int steps = (p.depth + panelDepth - 1) / panelDepth;
    float a[perThread], b[perThread];
    for (int step = 0; step <= steps; step++) {
      if (step < steps) {
        fetch(a, p.a, row0, step * panelDepth, p.size, p.depth);
        fetch(b, p.b, col0, step * panelDepth, p.size, p.depth);
      }
      if (step > 0) multiply(sums, panels[(step - 1) % 2]);
      if (step < steps) {
        put(panels[step % 2].a, a);
        put(panels[step % 2].b, b);
      }
      __syncthreads();
    }
  }

  // Up to four neighbours, of which `left` are inside. fp32 matrices with rows of whole float4 are moved by those.
  __device__ static void load(float (&to)[4], const T* from, int left, bool whole) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (whole) {
        const float4 four = *reinterpret_cast<const float4*>(from);
        to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
        return;
      }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) to[i] = i < left ? toFloat(from[i]) : 0;
  }
  __device__ static void store(T* to, float x, float y, float z, float w, int left, bool whole) {
    if constexpr (sizeof(T) == sizeof(float)) {
      if (whole) {
        *reinterpret_cast<float4*>(to) = float4{x, y, z, w};
        return;
      }
    }
    const float values[4] = {x, y, z, w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (i < left) to[i] = fromFloat<T>(values[i]);
    }
  }

  // Both images of a thread's 4×4 elements at (row, col). Those on and below the diagonal count.
  __device__ static void finish(float (&sums)[4][4], const SymmetricProduct<T>& p, int row, int col, bool onDiagonal,
                                bool whole) {
    if (row >= p.size || col >= p.size) return;
#pragma unroll
    for (int r = 0; r < 4; r++) {
      if (row + r >= p.size) continue;
      float before[4] = {};
      if (p.d != nullptr) load(before, p.d + int64_t{row + r} * p.size + col, p.size - col, whole);
#pragma unroll
      for (int c = 0; c < 4; c++) {
        float& value = sums[r][c];
        value = p.alpha * value + p.beta * before[c] + (row + r == col + c ? p.diagonal : 0);
        if (onDiagonal && row + r >= col + c)
          p.c[int64_t{row + r} * p.size + col + c] = p.c[int64_t{col + c} * p.size + row + r] = fromFloat<T>(value);
      }
    }
    if (onDiagonal) return;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      T *to = p.c + int64_t{row + i} * p.size + col, *mirrored = p.c + int64_t{col + i} * p.size + row;
      if (row + i < p.size) store(to, sums[i][0], sums[i][1], sums[i][2], sums[i][3], 4, whole);
      store(mirrored, sums[0][i], sums[1][i], sums[2][i], sums[3][i], p.size - row, whole);
    }
  }
};

template <class T, bool byColumns, int tile>
__global__ void __launch_bounds__(PlainTile<T, byColumns, tile>::threads, 2) symmetricPlain(SymmetricProduct<T> batch) {
  using Tile = PlainTile<T, byColumns, tile>;
  __shared__ typename Tile::Panels panels[2];
  const TriangleTile at = triangleTile(blockIdx.x);
  const SymmetricProduct<T> p = batch.from(blockIdx.y);
  const int row0 = at.row * tile, col0 = at.col * tile;
  typename Tile::Sums sums{};
  Tile::accumulate(sums, p, row0, col0, panels);
  const bool whole = p.size % 4 == 0 && reinterpret_cast<uintptr_t>(p.c) % 16 == 0 && reinterpret_cast<uintptr_t>(p.d) % 16 == 0;
#pragma unroll
  for (int i = 0; i < Tile::parts; i++) {
#pragma unroll
    for (int j = 0; j < Tile::parts; j++)
      Tile::finish(sums[i][j], p, row0 + i * Tile::part + Tile::threadRow() * 4, col0 + j * Tile::part + Tile::threadCol() * 4,
                   row0 == col0, whole);
  }
}

template <class T, bool byColumns, int tile>
void launchPlain(const Stream& stream, const SymmetricProduct<T>& product, int64_t count) {
  launchTiles(stream, symmetricPlain<T, byColumns, tile>, product, count, tile, PlainTile<T, byColumns, tile>::threads, 0);
}

}  // namespace muonscope::cuda
