// Symmetric products of bf16 matrices on tensor cores. A block computes one tile: four warps in a square, panels of the
// operands in a ring of asynchronous copies, fragments loaded one step ahead. The finished tile goes through shared
// memory, where its mirror image is read transposed.
#pragma once

#include "backend/cuda/shared_memory.cuh"
#include "backend/cuda/symmetric_product.cuh"
#include "backend/cuda/tensor_core.cuh"

namespace muonscope::cuda {

// Chosen so that two blocks with large tiles fit a multiprocessor of sm_80 and later, in registers (128 sums and two sets of
// fragments a thread, of 255) and in shared memory (64 KiB of 164). Warps of 64×64 because smaller ones load more from
// shared memory than its 128 bytes a clock deliver in the time of their multiply-adds (derived, 1024 a clock).
template <bool byColumns, int tile>
struct TensorCoreTile {
  static constexpr int threads = 128, warpTile = tile / 2, stages = 4, panelDepth = 32, chunk = 8;  // a chunk has 16 bytes
  static constexpr int blocks = tile == largeTile ? 2 : 4;                                        // at once
  static constexpr int panelSize = tile * panelDepth, rowChunks = tile / chunk;
  static constexpr size_t sharedBytes = stages * 2 * panelSize * sizeof(bf16);
  static_assert(tile * tile <= stages * 2 * panelSize, "the finished tile takes the panels' place");
  static constexpr int high = warpTile / 16, wide = warpTile / 8;  // of a warp's part, in 16×8 products

  using Sums = float[high][wide][4];
  struct Fragments {
    uint32_t a[high][4], b[wide / 2][4];
  };

  // Panels and the finished tile are stored in chunks, which are permuted within a row so that the eight that an
  // instruction reads at a time, one above the other, lie in different banks.
  //
  // Panel of rows: element (row, depth), rows of four chunks. By columns: element (depth, row), rows of `tile` / 8 chunks.
  __device__ static int panelOffset(int row, int inRow) {
    if constexpr (byColumns)
      return row * tile + (inRow ^ row % 8) * chunk;
    else
      return row * panelDepth + (inRow ^ row / 2 % 4) * chunk;
  }
  // Here rows r to r + 7 are read, and rows r, r + 1, r + 8, r + 9, r + 16, r + 17, r + 24, r + 25 for an even r.
  __device__ static int tileOffset(int row, int inRow) { return row * tile + (inRow ^ row % 8 ^ row / 8 % 4 * 2) * chunk; }

  // Starts copying rows [first, first + tile) of op(A) at depth [k, k + panelDepth), with zeros beyond the matrix.
  __device__ static void copyPanel(bf16* panel, const bf16* a, int first, int k, int size, int depth) {
    constexpr int chunksInRow = byColumns ? rowChunks : panelDepth / chunk, rows = byColumns ? panelDepth : tile;
    const int inRow = threadIdx.x % chunksInRow;
    const int firstRow = byColumns ? k : first, firstCol = (byColumns ? first : k) + inRow * chunk;
    const int rowsOfA = byColumns ? depth : size, colsOfA = byColumns ? size : depth;
#pragma unroll
    for (int i = 0; i < rows * chunksInRow / threads; i++) {
      const int row = threadIdx.x / chunksInRow + i * (threads / chunksInRow);
      copyAsync16(panel + panelOffset(row, inRow), a + int64_t{firstRow + row} * colsOfA + firstCol,
                  firstRow + row < rowsOfA && firstCol < colsOfA);
    }
  }

  // Rows [row, row + 16) at depth [k, k + 16) of a panel, as mma16816's a; r[0] and r[2] are b for the first eight of the
  // rows, r[1] and r[3] for the others.
  __device__ static void loadFragment(uint32_t (&r)[4], const bf16* panel, int row, int k) {
    const int lane = threadIdx.x % 32, half = lane / 8 % 2, deeper = lane / 16;
    if constexpr (byColumns)
      loadMatrix4Transposed(r, panel + panelOffset(k + deeper * 8 + lane % 8, row / chunk + half));
    else
      loadMatrix4(r, panel + panelOffset(row + half * 8 + lane % 8, k / chunk + deeper));
  }

  __device__ static int warpRow() { return static_cast<int>(threadIdx.x / 32 / 2) * warpTile; }
  __device__ static int warpCol() { return static_cast<int>(threadIdx.x / 32 % 2) * warpTile; }

  __device__ static void load(Fragments& f, const bf16* panelA, const bf16* panelB, int k) {
#pragma unroll
    for (int i = 0; i < high; i++) loadFragment(f.a[i], panelA, warpRow() + i * 16, k);
#pragma unroll
    for (int j = 0; j < wide / 2; j++) loadFragment(f.b[j], panelB, warpCol() + j * 16, k);
  }

  __device__ static void multiply(Sums& sums, const Fragments& f) {
#pragma unroll
    for (int i = 0; i < high; i++) {
#pragma unroll
      for (int j = 0; j < wide; j++) {
        const uint32_t b[2] = {f.b[j / 2][j % 2], f.b[j / 2][j % 2 + 2]};
        mma16816(sums[i][j], f.a[i], b);
      }
    }
  }

  __device__ static void accumulate(Sums& sums, const SymmetricProduct<bf16>& p, int row0, int col0, bf16* shared) {
    const int steps = (p.depth + panelDepth - 1) / panelDepth;
    const bool onePanel = row0 == col0 && p.a == p.b;
    const auto panel = [&](int step) { return shared + step % stages * (2 * panelSize); };
    const int panelB = onePanel ? 0 : panelSize;
    const auto copy = [&](int step) {
      if (step < steps) {
        copyPanel(panel(step), p.a, row0, step * panelDepth, p.size, p.depth);
        if (!onePanel) copyPanel(panel(step) + panelB, p.b, col0, step * panelDepth, p.size, p.depth);
      }
      copyAsyncCommit();
    };
    for (int step = 0; step < stages - 1; step++) copy(step);
    copyAsyncWait<stages - 2>();
    __syncthreads();
    Fragments even, odd;
    if (steps > 0) load(even, panel(0), panel(0) + panelB, 0);
    for (int step = 0; step < steps; step++) {
      load(odd, panel(step), panel(step) + panelB, 16);
      copy(step + stages - 1);  // into the panel that all warps had read when they last waited
      multiply(sums, even);
      if (step + 1 < steps) {
        copyAsyncWait<stages - 2>();
        __syncthreads();
        load(even, panel(step + 1), panel(step + 1) + panelB, 0);
      }
      multiply(sums, odd);
    }
  }

  // D's tile into shared memory, with zeros beyond the matrix.
  __device__ static void copyTile(bf16* shared, const SymmetricProduct<bf16>& p, int row0, int col0) {
    for (int i = threadIdx.x; i < tile * rowChunks; i += threads) {
      const int row = i / rowChunks, inRow = i % rowChunks, col = col0 + inRow * chunk;
      copyAsync16(shared + tileOffset(row, inRow), p.d + int64_t{row0 + row} * p.size + col, row0 + row < p.size && col < p.size);
    }
    copyAsyncCommit();
    copyAsyncWait<0>();
  }

  // alpha·sums + beta·D + diagonal·I into shared memory, in the place of D. A tile on the diagonal is made of its lower
  // triangle, so that it is symmetric to the last bit.
  __device__ static void finish(bf16* shared, const Sums& sums, const SymmetricProduct<bf16>& p, bool onDiagonal) {
    const int lane = threadIdx.x % 32;
    const auto at = [&](int row, int col) { return shared + tileOffset(row, col / chunk) + col % chunk; };
#pragma unroll
    for (int i = 0; i < high; i++) {
#pragma unroll
      for (int j = 0; j < wide; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int row = warpRow() + i * 16 + half * 8 + lane / 4, col = warpCol() + j * 8 + lane % 4 * 2;
          const float first = p.alpha * sums[i][j][half * 2], second = p.alpha * sums[i][j][half * 2 + 1];
          if (!onDiagonal) {
            __nv_bfloat162* pair = reinterpret_cast<__nv_bfloat162*>(at(row, col));
            const float2 before = p.d == nullptr ? float2{0, 0} : __bfloat1622float2(*pair);
            *pair = __floats2bfloat162_rn(first + p.beta * before.x, second + p.beta * before.y);
            continue;
          }
#pragma unroll
          for (int k = 0; k < 2; k++) {
            if (row < col + k) continue;
            const float before = p.d == nullptr ? 0 : toFloat(*at(row, col + k));
            const float value = (k == 0 ? first : second) + p.beta * before + (row == col + k ? p.diagonal : 0);
            *at(row, col + k) = *at(col + k, row) = fromFloat<bf16>(value);
          }
        }
      }
    }
  }

  __device__ static void store(const bf16* shared, const SymmetricProduct<bf16>& p, int row0, int col0) {
    for (int i = threadIdx.x; i < tile * rowChunks; i += threads) {
      const int row = i / rowChunks, inRow = i % rowChunks, col = col0 + inRow * chunk;
      if (row0 + row < p.size && col < p.size)
        *reinterpret_cast<uint4*>(p.c + int64_t{row0 + row} * p.size + col) =
            *reinterpret_cast<const uint4*>(shared + tileOffset(row, inRow));
    }
  }

  // The mirror image. Matrix i of the four that a warp loads has the rows 8q + 2i and 8q + 2i + 1 of 32, so that a lane
  // gets eight neighbours of one row of the transpose.
  __device__ static void storeTransposed(const bf16* shared, const SymmetricProduct<bf16>& p, int row0, int col0) {
    const int lane = threadIdx.x % 32, inMatrix = lane % 8;
    for (int i = threadIdx.x / 32; i < rowChunks * (tile / 32); i += threads / 32) {
      const int inRow = i % rowChunks, rows = i / rowChunks * 32;
      uint32_t eight[4];
      loadMatrix4Transposed(eight, shared + tileOffset(rows + inMatrix / 2 * 8 + lane / 8 * 2 + inMatrix % 2, inRow));
      const int row = row0 + rows + lane % 4 * chunk, col = col0 + inRow * chunk + lane / 4;
      uint4* to = reinterpret_cast<uint4*>(p.c + int64_t{col} * p.size + row);
      if (row < p.size) *to = uint4{eight[0], eight[1], eight[2], eight[3]};
    }
  }
};

template <bool byColumns, int tile>
__global__ void __launch_bounds__(TensorCoreTile<byColumns, tile>::threads, TensorCoreTile<byColumns, tile>::blocks)
    symmetricTensorCore(SymmetricProduct<bf16> batch) {
  using Tile = TensorCoreTile<byColumns, tile>;
  bf16* shared = sharedMemory<bf16>();
  const TriangleTile at = triangleTile(blockIdx.x);
  const SymmetricProduct<bf16> p = batch.from(blockIdx.y);
  const int row0 = at.row * tile, col0 = at.col * tile;
  typename Tile::Sums sums{};
  Tile::accumulate(sums, p, row0, col0, shared);
  __syncthreads();
  if (p.d != nullptr) {
    Tile::copyTile(shared, p, row0, col0);
    __syncthreads();
  }
  Tile::finish(shared, sums, p, row0 == col0);
  __syncthreads();
  Tile::store(shared, p, row0, col0);
  if (row0 != col0) Tile::storeTransposed(shared, p, row0, col0);
}

// Copies of 16 bytes need rows of whole ones.
inline bool fitsTensorCores(const SymmetricProduct<bf16>& p, bool byColumns) {
  const bool aligned = aligned16(p.a) && aligned16(p.b) && aligned16(p.c) && aligned16(p.d);
  return aligned && p.size % 8 == 0 && (byColumns || p.depth % 8 == 0);
}

template <bool byColumns, int tile>
void launchTensorCore(const Stream& stream, const SymmetricProduct<bf16>& product, int64_t count) {
  using Tile = TensorCoreTile<byColumns, tile>;
  launchTiles(stream, symmetricTensorCore<byColumns, tile>, product, count, tile, Tile::threads, Tile::sharedBytes);
}

}  // namespace muonscope::cuda
