// Flash attention on tensor cores, forward: a block takes 64·rowTiles queries of one head and walks through the keys up
// to the last of them, whose copies are a step ahead of the arithmetic.
#include <type_traits>

#include "backend/cuda/attention_fragments.cuh"

namespace muonscope::cuda {
namespace {

// The larger of two tiles of rows a warp reads each fragment of K and V half as often; `columns` keys are taken at a
// time, as many as leave the sums in registers.
template <int dim, int rowTiles, int columns>
__global__ void __launch_bounds__(flashThreads, 2) flashForward(AttentionData<bf16> a, BlockOrder order) {
  constexpr int rows = 16 * rowTiles * flashWarps, stageSize = 2 * flashStep * dim;
  bf16* tileQ = sharedMemory<bf16>();
  bf16* stages = tileQ + rows * dim;
  const auto [head, rank] = order.place(blockIdx.x);
  const int firstRow = (order.tiles - 1 - rank) * rows, lane = threadIdx.x % warpSize32;
  const int rowInTile = 16 * rowTiles * (threadIdx.x / warpSize32), row = firstRow + rowInTile;
  const int steps = (min(firstRow + rows, a.time) + flashStep - 1) / flashStep;
  const bf16* k = a.k + a.headAt(head);
  const bf16* v = a.qkv + a.qkvAt(head, 2);
  const auto copyStage = [&](int step) {
    bf16* stage = stages + step % 2 * stageSize;
    copyTile<dim, flashStep>(stage, k, dim, step * flashStep, a.time);
    copyTile<dim, flashStep>(stage + flashStep * dim, v, 3 * a.width(), step * flashStep, a.time);
    copyAsyncCommit();
  };
  copyTile<dim, rows>(tileQ, a.q + a.headAt(head), dim, firstRow, a.time);
  copyStage(0);
  copyAsyncWait<0>();
  __syncthreads();
  const std::conditional_t<dim == 64, HeldRows<dim, rowTiles>, SharedRows<dim>> query(tileQ, rowInTile);
  const float scale = a.scale * log2OfE;
  float o[rowTiles][dim / 8][4] = {}, sums[rowTiles][2] = {};
  for (int step = 0; step < steps; step++) {
    copyAsyncWait<0>();
    __syncthreads();
    if (step + 1 < steps) copyStage(step + 1);
    bf16* stage = stages + step % 2 * stageSize;
#pragma unroll
    for (int c = 0; c < flashStep; c += columns) {
      const int key = step * flashStep + c;
      if (key > row + 16 * rowTiles - 1) break;  // none of the warp's queries attends to it
      float s[rowTiles][columns / 8][4];
      products<dim, rowTiles, columns>(s, query, stage, c);
      maskCausal<false, rowTiles, columns>(s, row, key);
#pragma unroll
      for (int r = 0; r < rowTiles; r++)
#pragma unroll
        for (int n = 0; n < columns / 8; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) sums[r][i / 2] += s[r][n][i] = exp2f(s[r][n][i] * scale);
      Fragment p[rowTiles][columns / 16];
      toFragments<rowTiles, columns>(p, s);
      accumulate<dim, rowTiles, columns>(o, p, stage + flashStep * dim, c);
    }
  }
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
      const int t = row + fragmentRow(r, i);
      const float sum = rowSum(sums[r][i / 2]), inverse = 1.0f / sum;
      if (lane % 4 == 0 && t < a.pitch) a.logSums[int64_t{head} * a.pitch + t] = t < a.time ? log2f(sum) : 0;
#pragma unroll
      for (int n = 0; n < dim / 8; n++) {
        o[r][n][i] *= inverse;
        o[r][n][i + 1] *= inverse;
      }
    }
  storeRows<dim, rowTiles>(a.out + a.outAt(head), a.width(), row, a.time, o, tileQ, rowInTile);
}

template <int dim, int rowTiles, int columns>
void launchForward(const Stream& stream, const AttentionData<bf16>& a) {
  constexpr int rows = 16 * rowTiles * flashWarps;
  constexpr size_t bytes = (rows + 4 * flashStep) * dim * sizeof(bf16);
  const BlockOrder order = blockOrder(a, rows);
  launch(stream, flashForward<dim, rowTiles, columns>, order.grid(), dim3(flashThreads), bytes, a, order);
}

}  // namespace

void tensorForward(const Stream& stream, const AttentionData<bf16>& a) {
  if (a.dim == 64)
    launchForward<64, 2, 64>(stream, a);
  else
    launchForward<128, 2, 32>(stream, a);
}

}  // namespace muonscope::cuda
