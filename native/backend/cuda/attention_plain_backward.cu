// Flash attention in fp32 arithmetic, backward: as on tensor cores, one kernel for dq and one for dk and dv, without
// atomics.
#include "backend/cuda/attention_plain.cuh"

namespace muonscope::cuda {
namespace {

// The way back through RoPE and QK-norm of a tile: `d` holds gradients of the rows `y`, normalised and rotated. With
// r = 1/RMS: r·(d − y·(y·d)/D), rotated back.
template <int bound, class T>
__device__ void plainNormBackward(const float* d, const float* y, int first, int head, int part, const AttentionData<T>& a) {
  eachPlainRow<bound>(first, a.time, [&](int row, int lane) {
    const int t = first + row, half = a.dim / 2, at = row * PlainTile<bound>::pitch;
    float radial = 0;
    for (int i = lane; i < a.dim; i += warpSize32) radial += d[at + i] * y[at + i];
    radial = warpSum(radial) / static_cast<float>(a.dim);
    const float r = a.inverse[a.inverseAt(head, part, t)];
    T* to = a.dQkv + a.qkvAt(head, part) + t * 3 * a.width();
    for (int i = lane; i < half; i += warpSize32) {
      const float u = r * (d[at + i] - radial * y[at + i]);
      const float v = r * (d[at + i + half] - radial * y[at + i + half]);
      const float cosine = a.cosines[int64_t{t} * half + i], sine = a.sines[int64_t{t} * half + i];
      to[i] = fromFloat<T>(u * cosine - v * sine);
      to[i + half] = fromFloat<T>(u * sine + v * cosine);
    }
  });
}

template <int count>
__device__ inline void fill(float (&x)[count], float value) {
  for (int i = 0; i < count; i++) x[i] = value;
}

template <class T, int bound>
__global__ void __launch_bounds__(plainThreads, PlainTile<bound>::blocks)
plainBackwardQueries(AttentionData<T> a, BlockOrder order) {
  using Tile = PlainTile<bound>;
  float* tileQ = sharedMemory<float>();
  float* tileDOut = tileQ + Tile::floats;
  float* tileK = tileDOut + Tile::floats;
  float* tileV = tileK + Tile::floats;
  float* scores = tileV + Tile::floats;
  const auto [head, rank] = order.place(blockIdx.x);
  const int first = (order.tiles - 1 - rank) * Tile::rows, end = min(first + Tile::rows, a.time);
  loadPlain<bound>(tileQ, a.q + a.headAt(head), a.dim, first, a.time, a.dim);
  loadPlain<bound>(tileDOut, a.dOut + a.outAt(head), a.width(), first, a.time, a.dim);
  __syncthreads();
  eachPlainRow<bound>(first, a.time, [&](int row, int lane) {
    const T* out = a.out + a.outAt(head) + (first + row) * a.width();
    float mean = 0;
    for (int d = lane; d < a.dim; d += warpSize32) mean += toFloat(out[d]) * tileDOut[row * Tile::pitch + d];
    mean = warpSum(mean);
    scores[row] = mean;
    a.means[int64_t{head} * a.pitch + first + row] = mean;
  });
  __syncthreads();
  float means[Tile::perThread], logSums[Tile::perThread];
  for (int i = 0; i < Tile::perThread; i++) {
    const int row = plainRow() + plainSide * i;
    means[i] = first + row < a.time ? scores[row] : 0;
    logSums[i] = first + row < a.time ? a.logSums[int64_t{head} * a.pitch + first + row] : 0;
  }
  const float scale = a.scale * log2OfE;
  typename Tile::Sums dq = {};
  for (int key = 0; key < end; key += Tile::rows) {
    __syncthreads();
    loadPlain<bound>(tileK, a.k + a.headAt(head), a.dim, key, a.time, a.dim);
    loadPlain<bound>(tileV, a.qkv + a.qkvAt(head, 2), 3 * a.width(), key, a.time, a.dim);
    __syncthreads();
    typename Tile::Scores s, dp;
    plainProducts<bound>(s, tileQ, tileK, a.dim);
    plainProducts<bound>(dp, tileDOut, tileV, a.dim);
    for (int i = 0; i < Tile::perThread; i++)
      for (int j = 0; j < Tile::perThread; j++) {
        const bool ahead = key + plainColumn() + plainSide * j > first + plainRow() + plainSide * i;
        s[i][j] = ahead ? 0 : exp2f(s[i][j] * scale - logSums[i]) * (dp[i][j] - means[i]);
      }
    storeScores<bound>(scores, s);
    __syncthreads();
    plainAccumulate<bound>(dq, scores, tileK, a.dim);
  }
  float factors[Tile::perThread];
  fill(factors, a.scale);
  storeSums<bound>(tileDOut, dq, factors, a.dim);
  __syncthreads();
  plainNormBackward<bound>(tileDOut, tileQ, first, head, 0, a);
}

// The rows of the scores are keys here.
template <class T, int bound>
__global__ void __launch_bounds__(plainThreads, PlainTile<bound>::blocks)
plainBackwardKeys(AttentionData<T> a, BlockOrder order) {
  using Tile = PlainTile<bound>;
  float* tileK = sharedMemory<float>();
  float* tileV = tileK + Tile::floats;
  float* tileQ = tileV + Tile::floats;
  float* tileDOut = tileQ + Tile::floats;
  float* scores = tileDOut + Tile::floats;
  const auto [head, rank] = order.place(blockIdx.x);
  const int first = rank * Tile::rows;
  loadPlain<bound>(tileK, a.k + a.headAt(head), a.dim, first, a.time, a.dim);
  loadPlain<bound>(tileV, a.qkv + a.qkvAt(head, 2), 3 * a.width(), first, a.time, a.dim);
  const float scale = a.scale * log2OfE;
  typename Tile::Sums dk = {}, dv = {};
  for (int query = first; query < a.time; query += Tile::rows) {
    __syncthreads();
    loadPlain<bound>(tileQ, a.q + a.headAt(head), a.dim, query, a.time, a.dim);
    loadPlain<bound>(tileDOut, a.dOut + a.outAt(head), a.width(), query, a.time, a.dim);
    float logSums[Tile::perThread], means[Tile::perThread];
    for (int j = 0; j < Tile::perThread; j++) {
      const int t = query + plainColumn() + plainSide * j;
      logSums[j] = t < a.time ? a.logSums[int64_t{head} * a.pitch + t] : 0;
      means[j] = t < a.time ? a.means[int64_t{head} * a.pitch + t] : 0;
    }
    __syncthreads();
    typename Tile::Scores s, dp;
    plainProducts<bound>(s, tileK, tileQ, a.dim);
    plainProducts<bound>(dp, tileV, tileDOut, a.dim);
    for (int i = 0; i < Tile::perThread; i++)
      for (int j = 0; j < Tile::perThread; j++) {
        const bool ahead = first + plainRow() + plainSide * i > query + plainColumn() + plainSide * j;
        s[i][j] = ahead ? 0 : exp2f(s[i][j] * scale - logSums[j]);
        dp[i][j] = ahead ? 0 : s[i][j] * (dp[i][j] - means[j]);
      }
    storeScores<bound>(scores, s);
    __syncthreads();
    plainAccumulate<bound>(dv, scores, tileDOut, a.dim);
    __syncthreads();
    storeScores<bound>(scores, dp);
    __syncthreads();
    plainAccumulate<bound>(dk, scores, tileQ, a.dim);
  }
  __syncthreads();
  float factors[Tile::perThread];
  fill(factors, a.scale);
  storeSums<bound>(tileQ, dk, factors, a.dim);
  fill(factors, 1.0f);
  storeSums<bound>(tileDOut, dv, factors, a.dim);
  __syncthreads();
  plainNormBackward<bound>(tileQ, tileK, first, head, 1, a);
  storePlain<bound>(a.dQkv + a.qkvAt(head, 2), 3 * a.width(), tileDOut, first, a.time, a.dim);
}

}  // namespace

template <class T>
void plainBackward(const Stream& stream, const AttentionData<T>& a) {
  withPlainBound(a.dim, [&](auto bound) {
    using Tile = PlainTile<bound()>;
    const BlockOrder order = blockOrder(a, Tile::rows);
    constexpr size_t bytes = (4 * Tile::floats + Tile::scoresFloats) * sizeof(float);
    launch(stream, plainBackwardQueries<T, bound()>, order.grid(), dim3(plainThreads), bytes, a, order);
    launch(stream, plainBackwardKeys<T, bound()>, order.grid(), dim3(plainThreads), bytes, a, order);
  });
}

template void plainBackward(const Stream&, const AttentionData<float>&);
template void plainBackward(const Stream&, const AttentionData<bf16>&);

}  // namespace muonscope::cuda
