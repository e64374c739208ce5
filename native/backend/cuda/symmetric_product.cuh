// What the kernels for symmetric products share: what is computed, and which tiles of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backend/cuda/element.cuh"
#include "backend/cuda/launch.h"

namespace muonscope::cuda {

// C = alpha·op(A)·op(B)ᵀ + beta·D + diagonal·I for every matrix of a batch, where C is known to be symmetric.
template <class T>
struct SymmetricProduct {
  T* c;        // [size, size]
  const T* a;  // op(A) is [size, depth]: a itself, or by columns the transpose of a[depth, size]
  const T* b;  // as a
  const T* d;  // [size, size], symmetric; null where beta is 0
  int size, depth;
  float alpha, beta, diagonal;

  __host__ __device__ SymmetricProduct from(int64_t matrix) const {
    const int64_t sizeA = int64_t{size} * depth, sizeC = int64_t{size} * size;
    return {c + matrix * sizeC, a + matrix * sizeA, b + matrix * sizeA, d == nullptr ? nullptr : d + matrix * sizeC, size, depth,
            alpha, beta, diagonal};
  }
};

struct TriangleTile {
  int row, col;
};

// Tile `index` of a lower triangle, counted row by row: (0, 0), (1, 0), (1, 1), (2, 0)…
__host__ __device__ inline TriangleTile triangleTile(int64_t index) {
  const auto before = [](int64_t row) { return row * (row + 1) / 2; };
  int64_t row = static_cast<int64_t>((sqrtf(8 * static_cast<float>(index) + 1) - 1) / 2);
  while (before(row) > index) row--;  // the root is rounded
  while (before(row + 1) <= index) row++;
  return {static_cast<int>(row), static_cast<int>(index - before(row))};
}

inline int64_t triangleTiles(int64_t size, int64_t tile) {
  const int64_t rows = ceilDiv(size, tile);
  return rows * (rows + 1) / 2;
}

constexpr int smallTile = 64, largeTile = 128;

// Whether tiles of 64 take less time than tiles of 128: they have a quarter of the arithmetic but read twice as much shared
// memory for it, which is what bounds them, so take half the time of a large one; work goes in waves of one tile on each
// multiprocessor. (Derived: warps of 64×64 load 4 KiB for 65536 multiply-adds, warps of 32×32 2 KiB for 16384.)
inline bool prefersSmallTiles(const Stream& stream, int64_t size, int64_t count) {
  const auto waves = [&](int64_t tile) { return ceilDiv(triangleTiles(size, tile) * count, stream.multiprocessors); };
  return waves(smallTile) < 2 * waves(largeTile);
}

// One block for each tile on and below the diagonal and each matrix.
template <class T>
void launchTiles(const Stream& stream, void (*kernel)(SymmetricProduct<T>), const SymmetricProduct<T>& product, int64_t count,
                 int tile, int threads, size_t sharedBytes) {
  constexpr int64_t most = 65535;  // CUDA C++ Programming Guide, "Technical Specifications per Compute Capability": gridDim.y
  for (int64_t first = 0; first < count; first += most) {
    const auto tiles = static_cast<unsigned>(triangleTiles(product.size, tile));
    const dim3 grid(tiles, static_cast<unsigned>(std::min(most, count - first)));
    launch(stream, kernel, grid, dim3(static_cast<unsigned>(threads)), sharedBytes, product.from(first));
  }
}

inline bool aligned16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace muonscope::cuda
