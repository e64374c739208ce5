// One attention problem as its kernels see it: where everything lies, and which block works on what.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "backend/backend.h"
#include "backend/cuda/element.cuh"
#include "backend/cuda/launch.h"

namespace muonscope::cuda {

// What is kept of a row's softmax is laid out [heads, pitch], the pitch a multiple of this many rows, with zeros beyond
// the last token: whole 16-byte pieces of it can be copied.
constexpr int attentionPitchRows = 64;

// log2(e): exponentials are taken to base 2, which is what the hardware has.
constexpr float log2OfE = 1.4426950408889634f;

template <class T>
struct AttentionData {
  int batch, heads, time, dim;
  int pitch;
  float scale;  // 1/√D
  const float* cosines;
  const float* sines;
  const T* qkv;
  T* out;
  const T* dOut;
  T* dQkv;
  // What is saved.
  T* q;            // [B·H, T, D], normalised and rotated
  T* k;            // [B·H, T, D]
  float* logSums;  // [B·H, pitch], logarithm to base 2 of each row's softmax sum
  float* means;    // [B·H, pitch], Σ dOut·out of each row; backward only
  float* inverse;  // [B·T, 2H], 1/RMS of the rows of q, then of k

  __host__ __device__ int64_t width() const { return int64_t{heads} * dim; }
  // Of the head's row of token 0: in q and k, in qkv for part 0 (q), 1 (k) or 2 (v), in out.
  __host__ __device__ int64_t headAt(int head) const { return int64_t{head} * time * dim; }
  __host__ __device__ int64_t qkvAt(int head, int part) const {
    return int64_t{head / heads} * time * 3 * width() + part * width() + int64_t{head % heads} * dim;
  }
  __host__ __device__ int64_t outAt(int head) const {
    return int64_t{head / heads} * time * width() + int64_t{head % heads} * dim;
  }
  __host__ __device__ int64_t inverseAt(int head, int part, int t) const {
    return (int64_t{head / heads} * time + t) * 2 * heads + part * heads + head % heads;
  }
};

inline int64_t attentionPitch(int64_t time) { return ceilDiv(time, attentionPitchRows) * attentionPitchRows; }

inline int64_t attentionFloats(const Backend::Attention& s, int64_t computeBytes) {
  const int64_t heads = s.batch * s.heads, rows = heads * s.time;
  return ceilDiv(2 * rows * s.headDim * computeBytes, sizeof(float)) + 2 * rows + 2 * heads * attentionPitch(s.time);
}

// Carves `saved`, attentionFloats() of them.
template <class T>
AttentionData<T> attentionData(const Backend::Attention& s, const void* qkv, void* out, float* saved) {
  AttentionData<T> a{};
  a.batch = static_cast<int>(s.batch);
  a.heads = static_cast<int>(s.heads);
  a.time = static_cast<int>(s.time);
  a.dim = static_cast<int>(s.headDim);
  a.pitch = static_cast<int>(attentionPitch(s.time));
  a.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(s.headDim)));
  a.cosines = s.cosines;
  a.sines = s.sines;
  a.qkv = static_cast<const T*>(qkv);
  a.out = static_cast<T*>(out);
  const int64_t rows = s.batch * s.heads * s.time;
  a.q = reinterpret_cast<T*>(saved);
  a.k = a.q + rows * s.headDim;
  a.logSums = saved + ceilDiv(2 * rows * s.headDim * static_cast<int64_t>(sizeof(T)), sizeof(float));
  a.means = a.logSums + s.batch * s.heads * a.pitch;
  a.inverse = a.means + s.batch * s.heads * a.pitch;  // last: of any number, while the others' rows stay aligned to 16 bytes
  return a;
}

// Which head and which tile of it a block works on. Tiles of few steps come last, so that no long one is left over at
// the end; but only within sections of heads whose keys and values stay in the L2 cache.
struct BlockOrder {
  int heads, tiles, section;

  struct Place {
    int head, rank;  // rank 0 has the most steps
  };
  __device__ Place place(int block) const {
    const int sectionIndex = block / (section * tiles), first = sectionIndex * section;
    const int within = block % (section * tiles), size = min(section, heads - first);
    return {first + within % size, within / size};
  }
  dim3 grid() const { return dim3(static_cast<unsigned>(heads) * static_cast<unsigned>(tiles)); }
};

template <class T>
BlockOrder blockOrder(const AttentionData<T>& a, int tileRows) {
  constexpr int64_t cache = 16 << 20;  // derived: a third of the 50 MB L2 of an H100, whose halves each hold what they read
  const int64_t heads = int64_t{a.batch} * a.heads, tiles = ceilDiv(a.time, tileRows);
  const int64_t bytes = 2 * int64_t{a.time} * a.dim * static_cast<int64_t>(sizeof(T));
  const int64_t section = std::clamp<int64_t>(cache / std::max<int64_t>(bytes, 1), 1, std::max<int64_t>(heads, 1));
  constexpr int64_t most = 0x7fffffff;  // CUDA C++ Programming Guide, "Technical Specifications": blocks in x
  if ((heads + section) * tiles > most)
    throw std::runtime_error("attention: expected at most " + std::to_string(most) + " tiles of " + std::to_string(tileRows) +
                             " rows, received " + std::to_string(heads * tiles) + "; train with a smaller batch or context");
  return {static_cast<int>(heads), static_cast<int>(tiles), static_cast<int>(section)};
}

// attention_rotate.cu: q, k and their inverse RMS.
template <class T>
void rotateHeads(const Stream& stream, const AttentionData<T>& a);

// attention_tensor_forward.cu, attention_tensor_backward.cu: heads of 64 or 128 on tensor cores.
void tensorForward(const Stream& stream, const AttentionData<bf16>& a);
void tensorBackward(const Stream& stream, const AttentionData<bf16>& a);

// attention_plain_forward.cu, attention_plain_backward.cu: heads of any even dimension up to this, in fp32 arithmetic.
constexpr int plainLargestDim = 256;
template <class T>
void plainForward(const Stream& stream, const AttentionData<T>& a);
template <class T>
void plainBackward(const Stream& stream, const AttentionData<T>& a);

}  // namespace muonscope::cuda
