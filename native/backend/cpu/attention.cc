// Causal attention, one head of one sequence at a time, blocks of query rows within it. Nothing of size T × T is
// kept: the forward pass saves the logarithm of each row's softmax sum, from which the backward pass makes the
// probabilities again (Dao et al. 2022, FlashAttention, arXiv 2205.14135, section 3.1).
#include <stdexcept>
#include <string>

#include "backend/cpu/attention_head.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/exponential.h"

namespace muonscope {
namespace {

// Query rows handled together: their scores, [64, T] floats twice in the backward pass, stay in the L2 cache up to
// T = 1024.
constexpr int64_t kBlock = 64;

// All working memory of one thread, carved from one allocation.
struct Workspace {
  HeadBuffers head;
  float* scores;       // [kBlock, length]
  float* scoresGrad;   // [kBlock, length]
  float* out;          // forward: [kBlock, width]; backward: dOut, [T, width]
  float* dq;           // [kBlock, width]
  float* dk;           // [T, width]
  float* dv;           // [T, width]

  static int64_t floats(const Backend::Attention& a) {
    const int64_t width = roundToTile(a.headDim), length = roundToTile(a.time);
    return 6 * length * width + 2 * a.headDim * length + 2 * length + 2 * kBlock * length + kBlock * width;
  }

  Workspace(float* p, const Backend::Attention& a) {
    const int64_t width = roundToTile(a.headDim), length = roundToTile(a.time);
    const auto take = [&p](int64_t n) {
      float* start = p;
      p += n;
      return start;
    };
    head = {a.time, a.headDim, width, length, take(length * width), take(length * width), take(length * width),
            take(a.headDim * length), take(a.headDim * length), take(length), take(length)};
    scores = take(kBlock * length);
    scoresGrad = take(kBlock * length);
    out = take(length * width);
    dq = take(kBlock * width);
    dk = take(length * width);
    dv = take(length * width);
  }
};

int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }

// scores[i, j] = rows[i0 + i]·columnsᵀ[:, j] for i < count and all j that any row of its tile attends to.
MUONSCOPE_INLINE void causalScores(float* scores, const float* rows, const float* columnsT, const HeadBuffers& h,
                                   int64_t i0, int64_t count) {
  for (int64_t i = 0; i < count; i += kTileRows) {
    const int64_t tile = minimum(kTileRows, count - i);
    tileRows<false, false>(tile, scores + i * h.length, h.length, rows + (i0 + i) * h.width, h.width, columnsT, h.length,
                           roundToTile(i0 + i + tile), 0, h.dim);
  }
}

// to[i, :] = Σ_j weights[i, j]·rows[j, :] over the j that row i attends to.
MUONSCOPE_INLINE void causalSum(float* to, const float* weights, const float* rows, const HeadBuffers& h, int64_t i0,
                                int64_t count) {
  for (int64_t i = 0; i < count; i += kTileRows) {
    const int64_t tile = minimum(kTileRows, count - i);
    tileRows<false, false>(tile, to + i * h.width, h.width, weights + i * h.length, h.length, rows, h.width, h.width, 0,
                           i0 + i + tile);
  }
}

// to[j, :] += Σ_i weights[i, j]·rows[i0 + i, :] over the i < count that attend to j.
MUONSCOPE_INLINE void causalSumTransposed(float* to, const float* weights, const float* rows, const HeadBuffers& h,
                                          int64_t i0, int64_t count) {
  for (int64_t j = 0; j < i0 + count; j += kTileRows) {
    const int64_t tile = minimum(kTileRows, i0 + count - j);
    tileRows<true, true>(tile, to + j * h.width, h.width, weights + j, h.length, rows + i0 * h.width, h.width, h.width,
                         j > i0 ? j - i0 : 0, count);
  }
}

// Row i attends to columns up to i; the products' tiles reach up to kTileRows − 1 further, where zeros must stand.
MUONSCOPE_INLINE void clearBeyond(float* row, int64_t i, const HeadBuffers& h) {
  const int64_t end = minimum(h.length, roundToTile(i + kTileRows));
  for (int64_t j = i + 1; j < end; j++) row[j] = 0;
}

// row[j] = e^(row[j] − offset) for j ≤ i, 0 beyond.
MUONSCOPE_INLINE void exponentialRow(float* row, int64_t i, float offset, const HeadBuffers& h) {
  const int64_t end = roundToTile(i + 1);  // whole vectors: what they compute too much is cleared
#pragma omp simd
  for (int64_t j = 0; j < end; j++) row[j] = exponential(row[j] - offset);
  clearBeyond(row, i, h);
}

MUONSCOPE_CLONES
void forwardHead(const Workspace& w, const HeadSource& from, const Backend::Attention& a, float* out, int64_t outStride,
                 float* logSums) {
  const HeadBuffers& h = w.head;
  prepareHead(h, from, a, false);
  // No score exceeds √D, because q and k have RMS 1: with that as the offset no exponential overflows, and no pass
  // over the row is needed to find its largest.
  const float offset = std::sqrt(static_cast<float>(h.dim));
  float sums[kBlock];
  for (int64_t i0 = 0; i0 < h.time; i0 += kBlock) {
    const int64_t count = minimum(kBlock, h.time - i0);
    causalScores(w.scores, h.q, h.kT, h, i0, count);
    for (int64_t i = 0; i < count; i++) {
      float* row = w.scores + i * h.length;
      exponentialRow(row, i0 + i, offset, h);
      sums[i] = sum(row, roundToTile(i0 + i + 1));
      logSums[i0 + i] = offset + std::log(sums[i]);
    }
    causalSum(w.out, w.scores, h.v, h, i0, count);
    for (int64_t i = 0; i < count; i++) {
      const float scale = 1.0f / sums[i];
#pragma omp simd
      for (int64_t d = 0; d < h.dim; d++) out[(i0 + i) * outStride + d] = w.out[i * h.width + d] * scale;
    }
  }
}

struct HeadGradient {
  float* q;
  float* k;
  float* v;
  int64_t stride;
};

MUONSCOPE_CLONES
void backwardHead(const Workspace& w, const HeadSource& from, const Backend::Attention& a, const float* dOut,
                  int64_t outStride, const float* logSums, const HeadGradient& to) {
  const HeadBuffers& h = w.head;
  prepareHead(h, from, a, true);
  copyPadded(w.out, h.width, dOut, outStride, h.time, h.dim);
  for (int64_t i = 0; i < h.time * h.width; i++) w.dk[i] = w.dv[i] = 0;
  const float factor = 1.0f / std::sqrt(static_cast<float>(h.dim));
  const int64_t half = h.dim / 2;
  for (int64_t i0 = 0; i0 < h.time; i0 += kBlock) {
    const int64_t count = minimum(kBlock, h.time - i0);
    causalScores(w.scores, h.q, h.kT, h, i0, count);
    causalScores(w.scoresGrad, w.out, h.vT, h, i0, count);
    for (int64_t i = 0; i < count; i++) {
      // p = softmax(s), and with dp = dOut·vᵀ: ds = p·(dp − Σ p·dp).
      float* p = w.scores + i * h.length;
      float* dp = w.scoresGrad + i * h.length;
      const int64_t end = roundToTile(i0 + i + 1);
      exponentialRow(p, i0 + i, logSums[i0 + i], h);
      const float mean = dot(p, dp, end);
#pragma omp simd
      for (int64_t j = 0; j < end; j++) dp[j] = p[j] * (dp[j] - mean);
      clearBeyond(dp, i0 + i, h);
    }
    causalSumTransposed(w.dv, w.scores, w.out, h, i0, count);
    causalSumTransposed(w.dk, w.scoresGrad, h.q, h, i0, count);
    causalSum(w.dq, w.scoresGrad, h.k, h, i0, count);
    for (int64_t i = 0; i < count; i++) {
      const int64_t t = i0 + i;
      normalizeAndRotateBackward(to.q + t * to.stride, w.dq + i * h.width, from.q + t * from.stride, h.inverseQ[t],
                                 a.cosines + t * half, a.sines + t * half, h.dim, factor);
    }
  }
  for (int64_t t = 0; t < h.time; t++) {
    normalizeAndRotateBackward(to.k + t * to.stride, w.dk + t * h.width, from.k + t * from.stride, h.inverseK[t],
                               a.cosines + t * half, a.sines + t * half, h.dim, 1.0f);
    for (int64_t d = 0; d < h.dim; d++) to.v[t * to.stride + d] = w.dv[t * h.width + d];
  }
}

void check(const Backend::Attention& a, ComputeMatrix qkv, ComputeMatrix out) {
  const int64_t tokens = a.batch * a.time, width = a.heads * a.headDim;
  if (a.headDim % 2)
    throw std::runtime_error("attention: expected an even head dimension (RoPE rotates pairs), received " +
                             std::to_string(a.headDim));
  if (qkv.rows != tokens || qkv.cols != 3 * width || out.rows != tokens || out.cols != width)
    throw std::runtime_error("attention: expected qkv [" + std::to_string(tokens) + ", " + std::to_string(3 * width) +
                             "] and out [" + std::to_string(tokens) + ", " + std::to_string(width) + "], received [" +
                             std::to_string(qkv.rows) + ", " + std::to_string(qkv.cols) + "] and [" +
                             std::to_string(out.rows) + ", " + std::to_string(out.cols) + "]");
}

// body(workspace, head's index b·H + h, offset of its first row and column in [B·T, C], the same in [B·T, 3C])
template <class Body>
void eachHead(ThreadPool& pool, Scratch& scratch, const Backend::Attention& a, const Body& body) {
  const int64_t count = a.batch * a.heads, width = a.heads * a.headDim;
  const int64_t lanes = pool.lanes(), floats = (Workspace::floats(a) + 15) / 16 * 16;
  float* memory = scratch.get<float>(lanes * floats);
  pool.onLanes([&](int lane) {
    const Workspace workspace(memory + lane * floats, a);
    for (int64_t i = count * lane / lanes; i < count * (lane + 1) / lanes; i++) {
      const int64_t row = i / a.heads * a.time, column = i % a.heads * a.headDim;
      body(workspace, i, row * width + column, row * 3 * width + column);
    }
  });
}

}  // namespace

int64_t CpuBackend::attentionWorkspace(const Attention& a) const { return a.batch * a.heads * a.time; }

void CpuBackend::attention(ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& a) {
  check(a, qkv, out);
  const int64_t width = out.cols, stride = qkv.cols;
  eachHead(pool_, scratch_, a, [&](const Workspace& w, int64_t i, int64_t at, int64_t atQkv) {
    const float* q = fp32(qkv).data + atQkv;
    forwardHead(w, {q, q + width, q + 2 * width, stride}, a, fp32(out).data + at, width, saved + i * a.time);
  });
}

void CpuBackend::attentionBackward(ComputeMatrix dQkv, ComputeMatrix dOut, ComputeMatrix, ComputeMatrix qkv, float* saved,
                                   const Attention& a) {
  check(a, qkv, dOut);
  check(a, dQkv, dOut);
  const int64_t width = dOut.cols, stride = qkv.cols;
  eachHead(pool_, scratch_, a, [&](const Workspace& w, int64_t i, int64_t at, int64_t atQkv) {
    const float* q = fp32(qkv).data + atQkv;
    float* dq = fp32(dQkv).data + atQkv;
    backwardHead(w, {q, q + width, q + 2 * width, stride}, a, fp32(dOut).data + at, width, saved + i * a.time,
                 {dq, dq + width, dq + 2 * width, stride});
  });
}

}  // namespace muonscope
