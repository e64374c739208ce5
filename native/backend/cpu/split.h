// How products are split over the lanes of the pool, and what symmetric results share.
#pragma once

#include <algorithm>
#include <cmath>

#include "backend/backend.h"
#include "backend/cpu/thread_pool.h"

namespace muonscope {

// A product of fewer multiplications runs on one thread: waking the others costs as much (about 5 µs at 100 GFLOP/s).
inline constexpr double kSplitFrom = 250e3;
// Borders of parts fall on multiples of this, so that BLAS kernels (up to 16×4 or 24×8 tiles) see few ragged edges.
inline constexpr int64_t kAlign = 16;

// C[j][i] = C[i][j] for the columns j < i of rows [begin, end), in tiles so that both sides stay in the cache.
inline void mirrorLower(Matrix c, int64_t begin, int64_t end) {
  constexpr int64_t kTile = 32;
  for (int64_t i0 = begin; i0 < end; i0 += kTile) {
    const int64_t i1 = std::min(end, i0 + kTile);
    for (int64_t j0 = 0; j0 < i1; j0 += kTile)
      for (int64_t j = j0; j < std::min(i1, j0 + kTile); j++)
        for (int64_t i = std::max(i0, j + 1); i < i1; i++) c.data[j * c.cols + i] = c.data[i * c.cols + j];
  }
}

// Rows of a triangle so that each of `parts` bands holds the same area.
inline int64_t bandBorder(int64_t size, int64_t part, int64_t parts) {
  if (part == parts) return size;
  const auto row = static_cast<int64_t>(double(size) * std::sqrt(double(part) / double(parts)));
  return std::min(size, (row + kAlign / 2) / kAlign * kAlign);
}

// body(r0, r1) for one band of rows of a lower triangle on each lane, all of the same area.
template <class Body>
void overBands(ThreadPool& pool, int64_t size, const Body& body) {
  const int64_t lanes = pool.lanes();
  pool.parallelFor(lanes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(bandBorder(size, i, lanes), bandBorder(size, i + 1, lanes));
  });
}

// Runs `count` jobs: as many as there are lanes side by side, whole on one thread each; the few that are left over
// are split over all lanes where that keeps more lanes busy.
template <class Whole, class Split>
void sideBySide(ThreadPool& pool, int64_t count, const Whole& whole, const Split& split) {
  const int64_t lanes = pool.lanes(), rest = count % lanes;
  const int64_t together = 2 * rest > lanes ? count : count - rest;
  pool.parallelFor(together, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) whole(i);
  });
  for (int64_t i = together; i < count; i++) split(i);
}

}  // namespace muonscope
