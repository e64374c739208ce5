// Flash attention in fp32 arithmetic, forward: a block takes a tile of queries of one head and walks through the keys up
// to the last of them.
#include "backend/cuda/attention_plain.cuh"

namespace muonscope::cuda {
namespace {

template <class T, int bound>
__global__ void __launch_bounds__(plainThreads, PlainTile<bound>::blocks) plainForwardTile(AttentionData<T> a, BlockOrder order) {
  using Tile = PlainTile<bound>;
  float* tileQ = sharedMemory<float>();
  float* tileK = tileQ + Tile::floats;
  float* tileV = tileK + Tile::floats;
  float* scores = tileV + Tile::floats;
  const auto [head, rank] = order.place(blockIdx.x);
  const int first = (order.tiles - 1 - rank) * Tile::rows, end = min(first + Tile::rows, a.time);
  loadPlain<bound>(tileQ, a.q + a.headAt(head), a.dim, first, a.time, a.dim);
  const float scale = a.scale * log2OfE;
  typename Tile::Sums o = {};
  float sums[Tile::perThread] = {};
  for (int key = 0; key < end; key += Tile::rows) {
    __syncthreads();
    loadPlain<bound>(tileK, a.k + a.headAt(head), a.dim, key, a.time, a.dim);
    loadPlain<bound>(tileV, a.qkv + a.qkvAt(head, 2), 3 * a.width(), key, a.time, a.dim);
    __syncthreads();
    typename Tile::Scores s;
    plainProducts<bound>(s, tileQ, tileK, a.dim);
    for (int i = 0; i < Tile::perThread; i++)
      for (int j = 0; j < Tile::perThread; j++) {
        const bool ahead = key + plainColumn() + plainSide * j > first + plainRow() + plainSide * i;
        s[i][j] = ahead ? 0 : exp2f(s[i][j] * scale);
        sums[i] += s[i][j];
      }
    storeScores<bound>(scores, s);
    __syncthreads();
    plainAccumulate<bound>(o, scores, tileV, a.dim);
  }
  float factors[Tile::perThread];
  for (int i = 0; i < Tile::perThread; i++) {
    for (int offset = plainSide / 2; offset > 0; offset /= 2) sums[i] += __shfl_xor_sync(allLanes, sums[i], offset);
    factors[i] = 1.0f / sums[i];
    const int t = first + plainRow() + plainSide * i;
    if (plainColumn() == 0 && t < a.time) a.logSums[int64_t{head} * a.pitch + t] = log2f(sums[i]);
  }
  storeSums<bound>(tileQ, o, factors, a.dim);
  __syncthreads();
  storePlain<bound>(a.out + a.outAt(head), a.width(), tileQ, first, a.time, a.dim);
}

}  // namespace

template <class T>
void plainForward(const Stream& stream, const AttentionData<T>& a) {
  withPlainBound(a.dim, [&](auto bound) {
    using Tile = PlainTile<bound()>;
    const BlockOrder order = blockOrder(a, Tile::rows);
    constexpr size_t bytes = (3 * Tile::floats + Tile::scoresFloats) * sizeof(float);
    launch(stream, plainForwardTile<T, bound()>, order.grid(), dim3(plainThreads), bytes, a, order);
  });
}

template void plainForward(const Stream&, const AttentionData<float>&);
template void plainForward(const Stream&, const AttentionData<bf16>&);

}  // namespace muonscope::cuda
