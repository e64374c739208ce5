// Token embedding: rows gathered, and gradients added to them in an order that depends on the tokens alone.
#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/occurrences.h"
#include "backend/cuda/pack.cuh"
#include "backend/cuda/reduce.cuh"

namespace muonscope::cuda {
namespace {

constexpr int warpsPerBlock = 8;
// A batch of 65,536 times the same token, 768 channels wide, is then the work of 3,072 warps, of which each waits for
// `inFlight` rows at a time: 6 MiB on their way, more than H100's 3.35 TB/s times 0.8 µs of latency (2.6 MiB).
constexpr int mostInPiece = 64;
constexpr int inFlight = 4;  // rows that a thread waits for at a time

// What a warp is at: 32 neighbouring packs, one for each lane, of one of `count` things that have a row of `packs` packs.
struct Tiles {
  int64_t chunks, items;
  int64_t first = int64_t{blockIdx.x} * warpsPerBlock + threadIdx.y, step = int64_t{gridDim.x} * warpsPerBlock;

  __device__ Tiles(int64_t count, int64_t packs) : chunks((packs + warpSize32 - 1) / warpSize32), items(count * chunks) {}
  __device__ int64_t thing(int64_t item) const { return item / chunks; }
  __device__ int64_t pack(int64_t item) const { return item % chunks * warpSize32 + threadIdx.x; }
};

template <class T, int N>
__global__ void gather(T* __restrict__ out, const float* __restrict__ table, const int32_t* __restrict__ tokens, int64_t rows,
                       int64_t packs) {
  const Tiles tiles(rows, packs);
  for (int64_t item = tiles.first; item < tiles.items; item += tiles.step) {
    const int64_t i = tiles.thing(item), p = tiles.pack(item);
    if (p >= packs) continue;
    const auto from = asPacks<N>(table)[tokens[i] * packs + p];
    Pack<T, N> to;
#pragma unroll
    for (int k = 0; k < N; k++) to.x[k] = fromFloat<T>(from.x[k]);
    asPacks<N>(out)[i * packs + p] = to;
  }
}

// Sums in S of a thread's pack over `count` rows, in their order; rowOf(0), rowOf(1), … are their numbers.
template <class S, int N, class T, class RowOf>
__device__ void sumRows(S (&sum)[N], const T* x, int64_t packs, int64_t p, int count, const RowOf& rowOf) {
#pragma unroll
  for (int k = 0; k < N; k++) sum[k] = 0;
  for (int begin = 0; begin < count; begin += inFlight) {
    Pack<T, N> read[inFlight] = {};
#pragma unroll
    for (int r = 0; r < inFlight; r++)
      if (begin + r < count) read[r] = asPacks<N>(x)[rowOf(begin + r) * packs + p];
#pragma unroll
    for (int r = 0; r < inFlight; r++)
      if (begin + r < count)
#pragma unroll
        for (int k = 0; k < N; k++) sum[k] += toFloat(read[r].x[k]);
  }
}

template <int N, class S>
__device__ void addTo(float* row, int64_t p, const S (&sum)[N]) {
  auto pack = asPacks<N>(row)[p];
#pragma unroll
  for (int k = 0; k < N; k++) pack.x[k] = static_cast<float>(pack.x[k] + sum[k]);
  asPacks<N>(row)[p] = pack;
}

template <class T, int N>
__global__ void sumPieces(float* __restrict__ table, float* __restrict__ partials, const T* __restrict__ d,
                          const int32_t* __restrict__ positions, const Piece* __restrict__ pieces, int64_t count, int64_t packs) {
  const Tiles tiles(count, packs);
  for (int64_t item = tiles.first; item < tiles.items; item += tiles.step) {
    const Piece piece = pieces[tiles.thing(item)];
    const int64_t p = tiles.pack(item);
    if (p >= packs) continue;
    float sum[N];
    sumRows(sum, d, packs, p, piece.count, [&](int i) { return int64_t{positions[piece.begin + i]}; });
    if (piece.partial < 0) {
      addTo(table + piece.token * packs * N, p, sum);
    } else {
      Pack<float, N> pack;
#pragma unroll
      for (int k = 0; k < N; k++) pack.x[k] = sum[k];
      asPacks<N>(partials)[piece.partial * packs + p] = pack;
    }
  }
}

// A token may have any number of partial sums, so they are added in fp64.
template <int N>
__global__ void mergePieces(float* __restrict__ table, const float* __restrict__ partials, const Piece* __restrict__ merges,
                            int64_t count, int64_t packs) {
  const Tiles tiles(count, packs);
  for (int64_t item = tiles.first; item < tiles.items; item += tiles.step) {
    const Piece merge = merges[tiles.thing(item)];
    const int64_t p = tiles.pack(item);
    if (p >= packs) continue;
    double sum[N];
    sumRows(sum, partials, packs, p, merge.count, [&](int i) { return int64_t{merge.begin} + i; });
    addTo(table + merge.token * packs * N, p, sum);
  }
}

unsigned gridOfTiles(const Stream& stream, int64_t count, int64_t packs) {
  return gridFor(stream, count * ceilDiv(packs, warpSize32), warpsPerBlock);
}

const dim3 blockOfTiles(warpSize32, warpsPerBlock);

template <class T>
int64_t bytesOf(const std::vector<T>& x) {
  return static_cast<int64_t>(x.size() * sizeof(T));
}

}  // namespace

void CudaBackend::embed(ComputeMatrix out, Matrix table, const int32_t* tokens) {
  const auto work = [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int N = decltype(width)::value;
    const int64_t packs = out.cols / N;
    cuda::launch(stream_, gather<T, N>, gridOfTiles(stream_, out.rows, packs), blockOfTiles, 0, static_cast<T*>(out.data),
                 table.data, tokens, out.rows, packs);
  };
  withPacks(computeBytes(), work, out.cols, out.data, table.data);
}

void CudaBackend::embedBackward(Matrix dTable, ComputeMatrix dOut, const int32_t* hostTokens) {
  if (dOut.size() == 0) return;
  const Occurrences o = findOccurrences(hostTokens, dOut.rows, dTable.rows, mostInPiece);
  const auto pieceCount = static_cast<int64_t>(o.pieces.size()), mergeCount = static_cast<int64_t>(o.merges.size());
  // In one piece of scratch memory, the widest first, so that each is aligned.
  const int64_t partialBytes = ceilDiv(o.partials * dTable.cols * int64_t{sizeof(float)}, accessBytes) * accessBytes;
  const int64_t listBytes = bytesOf(o.pieces) + bytesOf(o.merges) + bytesOf(o.positions);
  auto* memory = scratch_->get<unsigned char>(partialBytes + listBytes);
  auto* partials = reinterpret_cast<float*>(memory);
  auto* pieces = reinterpret_cast<Piece*>(memory + partialBytes);
  auto* merges = pieces + pieceCount;
  auto* positions = reinterpret_cast<int32_t*>(merges + mergeCount);
  pinned_.upload(stream_, pieces, listBytes, [&](void* to) {
    auto* piece = std::copy(o.pieces.begin(), o.pieces.end(), static_cast<Piece*>(to));
    piece = std::copy(o.merges.begin(), o.merges.end(), piece);
    std::copy(o.positions.begin(), o.positions.end(), reinterpret_cast<int32_t*>(piece));
  });
  const auto work = [&](auto type, auto width) {
    using T = decltype(type);
    constexpr int N = decltype(width)::value;
    const int64_t packs = dOut.cols / N;
    cuda::launch(stream_, sumPieces<T, N>, gridOfTiles(stream_, pieceCount, packs), blockOfTiles, 0, dTable.data, partials,
                 static_cast<const T*>(dOut.data), positions, pieces, pieceCount, packs);
    if (mergeCount > 0)
      cuda::launch(stream_, mergePieces<N>, gridOfTiles(stream_, mergeCount, packs), blockOfTiles, 0, dTable.data, partials,
                   merges, mergeCount, packs);
  };
  withPacks(computeBytes(), work, dOut.cols, dTable.data, dOut.data, partials);
}

}  // namespace muonscope::cuda
