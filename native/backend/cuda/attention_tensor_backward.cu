// Flash attention on tensor cores, backward, in two kernels: one takes a block of queries and walks through the keys for
// dq, the other takes a block of keys and walks through the queries for dk and dv. The scores and dOut·vᵀ are computed
// in both, 7 products where 5 would do, because the sums then need no atomics and come out the same every time. Each
// gradient goes through RoPE and the norm while it is still in registers.
#include <type_traits>

#include "backend/cuda/attention_fragments.cuh"
#include "backend/cuda/attention_norm_backward.cuh"

namespace muonscope::cuda {
namespace {

// p = softmax from scores and the logarithm of the row's sum, ds = p·(dp − mean), both in place.
__device__ inline void softmaxBackward(float& s, float& dp, float scale, float logSum, float mean) {
  s = exp2f(s * scale - logSum);
  dp = s * (dp - mean);
}

template <int dim, int rowTiles>
using BackwardRows = std::conditional_t<dim == 64, HeldRows<dim, rowTiles>, SharedRows<dim>>;

// Σ dOut·out of the warp's rows, which 32/(16·rowTiles) lanes share each; both tiles are in shared memory.
template <int dim, int rowTiles>
__device__ float rowMean(bf16* tileOut, bf16* tileDOut, int rowInTile) {
  constexpr int sharers = 2 / rowTiles;
  const int lane = threadIdx.x % warpSize32, row = rowInTile + lane / sharers;
  float sum = 0;
#pragma unroll
  for (int p = 0; p < dim / 8; p += sharers) {
    const auto* out = reinterpret_cast<const __nv_bfloat162*>(piece<dim>(tileOut, row, p + lane % sharers));
    const auto* dOut = reinterpret_cast<const __nv_bfloat162*>(piece<dim>(tileDOut, row, p + lane % sharers));
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float2 x = __bfloat1622float2(out[i]), y = __bfloat1622float2(dOut[i]);
      sum += x.x * y.x + x.y * y.y;
    }
  }
  return sharers == 1 ? sum : sum + __shfl_xor_sync(allLanes, sum, 1);
}

template <int dim, int rowTiles, int columns>
__global__ void __launch_bounds__(flashThreads, 2) flashBackwardQueries(AttentionData<bf16> a, BlockOrder order) {
  constexpr int rows = 16 * rowTiles * flashWarps, stageSize = 2 * flashStep * dim;
  static_assert(rows <= 2 * flashStep, "`out` is read by way of the second stage");
  bf16* tileQ = sharedMemory<bf16>();
  bf16* tileDOut = tileQ + rows * dim;
  bf16* stages = tileDOut + rows * dim;
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
  copyTile<dim, rows>(tileDOut, a.dOut + a.outAt(head), a.width(), firstRow, a.time);
  copyTile<dim, rows>(stages + stageSize, a.out + a.outAt(head), a.width(), firstRow, a.time);
  copyStage(0);
  copyAsyncWait<0>();
  __syncthreads();
  const float mean = rowMean<dim, rowTiles>(stages + stageSize, tileDOut, rowInTile);
  if (lane % (2 / rowTiles) == 0 && row + lane / (2 / rowTiles) < a.pitch)
    a.means[int64_t{head} * a.pitch + row + lane / (2 / rowTiles)] = mean;
  float means[rowTiles][2], logSums[rowTiles][2];
#pragma unroll
  for (int r = 0; r < rowTiles; r++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int at = fragmentRow(r, 2 * i);
      means[r][i] = __shfl_sync(allLanes, mean, at * (2 / rowTiles));
      logSums[r][i] = row + at < a.time ? a.logSums[int64_t{head} * a.pitch + row + at] : 0;
    }
  const BackwardRows<dim, rowTiles> query(tileQ, rowInTile);
  const std::conditional_t<rowTiles == 1, BackwardRows<dim, rowTiles>, SharedRows<dim>> dOut(tileDOut, rowInTile);
  const float scale = a.scale * log2OfE;
  float dq[rowTiles][dim / 8][4] = {};
  for (int step = 0; step < steps; step++) {
    copyAsyncWait<0>();
    __syncthreads();
    if (step + 1 < steps) copyStage(step + 1);
    bf16* stage = stages + step % 2 * stageSize;
#pragma unroll
    for (int c = 0; c < flashStep; c += columns) {
      const int key = step * flashStep + c;
      if (key > row + 16 * rowTiles - 1) break;  // none of the warp's queries attends to it
      float s[rowTiles][columns / 8][4], dp[rowTiles][columns / 8][4];
      products<dim, rowTiles, columns>(s, query, stage, c);
      products<dim, rowTiles, columns>(dp, dOut, stage + flashStep * dim, c);
      maskCausal<false, rowTiles, columns>(s, row, key);
#pragma unroll
      for (int r = 0; r < rowTiles; r++)
#pragma unroll
        for (int n = 0; n < columns / 8; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) softmaxBackward(s[r][n][i], dp[r][n][i], scale, logSums[r][i / 2], means[r][i / 2]);
      Fragment ds[rowTiles][columns / 16];
      toFragments<rowTiles, columns>(ds, dp);
      accumulate<dim, rowTiles, columns>(dq, ds, stage, c);
    }
  }
  normBackward<dim, rowTiles>(dq, tileQ, rowInTile, row, head, 0, a);
  storeRows<dim, rowTiles>(a.dQkv + a.qkvAt(head, 0), 3 * a.width(), row, a.time, dq, tileQ, rowInTile);
}

// Sᵀ = K·Qᵀ and dPᵀ = V·dOutᵀ, whose rows are keys: as fragments they are at once the A of the sums over queries.
template <int dim, int rowTiles, int columns>
__global__ void __launch_bounds__(flashThreads, 2) flashBackwardKeys(AttentionData<bf16> a, BlockOrder order) {
  constexpr int rows = 16 * rowTiles * flashWarps, stageSize = 2 * flashStep * dim;
  bf16* tileK = sharedMemory<bf16>();
  bf16* tileV = tileK + rows * dim;
  bf16* stages = tileV + rows * dim;
  float* rowStages = reinterpret_cast<float*>(stages + 2 * stageSize);  // of each stage logSums, then means
  const auto [head, rank] = order.place(blockIdx.x);
  const int firstRow = rank * rows;
  const int rowInTile = 16 * rowTiles * (threadIdx.x / warpSize32), row = firstRow + rowInTile;
  const int firstStep = firstRow / flashStep, steps = (a.time + flashStep - 1) / flashStep;
  const bf16* q = a.q + a.headAt(head);
  const bf16* dOut = a.dOut + a.outAt(head);
  const auto copyStage = [&](int step) {
    bf16* stage = stages + step % 2 * stageSize;
    copyTile<dim, flashStep>(stage, q, dim, step * flashStep, a.time);
    copyTile<dim, flashStep>(stage + flashStep * dim, dOut, a.width(), step * flashStep, a.time);
    constexpr int pieces = flashStep / 4;
    if (threadIdx.x < 2 * pieces) {
      const float* from = threadIdx.x < pieces ? a.logSums : a.means;
      copyAsync16(rowStages + step % 2 * 2 * flashStep + threadIdx.x * 4,
                  from + int64_t{head} * a.pitch + step * flashStep + threadIdx.x % pieces * 4, true);
    }
    copyAsyncCommit();
  };
  copyTile<dim, rows>(tileK, a.k + a.headAt(head), dim, firstRow, a.time);
  copyTile<dim, rows>(tileV, a.qkv + a.qkvAt(head, 2), 3 * a.width(), firstRow, a.time);
  copyStage(firstStep);
  copyAsyncWait<0>();
  __syncthreads();
  const BackwardRows<dim, rowTiles> key(tileK, rowInTile), value(tileV, rowInTile);
  const float scale = a.scale * log2OfE;
  float dk[rowTiles][dim / 8][4] = {}, dv[rowTiles][dim / 8][4] = {};
  for (int step = firstStep; step < steps; step++) {
    copyAsyncWait<0>();
    __syncthreads();
    if (step + 1 < steps) copyStage(step + 1);
    bf16* stage = stages + step % 2 * stageSize;
    const float* logSums = rowStages + step % 2 * 2 * flashStep;
#pragma unroll
    for (int c = 0; c < flashStep; c += columns) {
      const int query = step * flashStep + c;
      if (query + columns - 1 < row) continue;  // it attends to none of the warp's keys
      float s[rowTiles][columns / 8][4], dp[rowTiles][columns / 8][4];
      products<dim, rowTiles, columns>(s, key, stage, c);
      products<dim, rowTiles, columns>(dp, value, stage + flashStep * dim, c);
      maskCausal<true, rowTiles, columns>(s, row, query);
#pragma unroll
      for (int n = 0; n < columns / 8; n++) {
        const int at = c + fragmentColumn(n, 0);
        const float2 logSum = *reinterpret_cast<const float2*>(logSums + at);
        const float2 mean = *reinterpret_cast<const float2*>(logSums + flashStep + at);
#pragma unroll
        for (int r = 0; r < rowTiles; r++)
#pragma unroll
          for (int i = 0; i < 4; i++)
            softmaxBackward(s[r][n][i], dp[r][n][i], scale, i % 2 ? logSum.y : logSum.x, i % 2 ? mean.y : mean.x);
      }
      Fragment p[rowTiles][columns / 16];
      toFragments<rowTiles, columns>(p, s);
      accumulate<dim, rowTiles, columns>(dv, p, stage + flashStep * dim, c);
      toFragments<rowTiles, columns>(p, dp);
      accumulate<dim, rowTiles, columns>(dk, p, stage, c);
    }
  }
  normBackward<dim, rowTiles>(dk, tileK, rowInTile, row, head, 1, a);
  storeRows<dim, rowTiles>(a.dQkv + a.qkvAt(head, 1), 3 * a.width(), row, a.time, dk, tileK, rowInTile);
  storeRows<dim, rowTiles>(a.dQkv + a.qkvAt(head, 2), 3 * a.width(), row, a.time, dv, tileV, rowInTile);
}

template <int dim, int queryTiles, int queryColumns, int keyTiles, int keyColumns>
void launchBackward(const Stream& stream, const AttentionData<bf16>& a) {
  constexpr int queryRows = 16 * queryTiles * flashWarps, keyRows = 16 * keyTiles * flashWarps;
  constexpr size_t queryBytes = (2 * queryRows + 4 * flashStep) * dim * sizeof(bf16);
  constexpr size_t keyBytes = (2 * keyRows + 4 * flashStep) * dim * sizeof(bf16) + 4 * flashStep * sizeof(float);
  const BlockOrder queries = blockOrder(a, queryRows), keys = blockOrder(a, keyRows);
  launch(stream, flashBackwardQueries<dim, queryTiles, queryColumns>, queries.grid(), dim3(flashThreads), queryBytes, a, queries);
  launch(stream, flashBackwardKeys<dim, keyTiles, keyColumns>, keys.grid(), dim3(flashThreads), keyBytes, a, keys);
}

}  // namespace

void tensorBackward(const Stream& stream, const AttentionData<bf16>& a) {
  if (a.dim == 64)
    launchBackward<64, 2, 32, 1, 64>(stream, a);
  else
    launchBackward<128, 1, 32, 1, 32>(stream, a);
}

}  // namespace muonscope::cuda
