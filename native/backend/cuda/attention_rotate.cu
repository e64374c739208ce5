// QK-norm and RoPE: reads q and k of qkv once, writes them head by head, and the inverse RMS of each row.
#include "backend/cpu/rms_epsilon.h"
#include "backend/cuda/attention_data.cuh"
#include "backend/cuda/reduce.cuh"

namespace muonscope::cuda {
namespace {

constexpr int rotateThreads = 256;

// `count` neighbouring numbers, 16 bytes, moved as one.
template <class T, int count>
struct alignas(sizeof(T) * count) Pack {
  T x[count];
};

template <class T, int count>
__device__ void loadPack(float (&to)[count], const T* from) {
  if constexpr (count == 1) {
    to[0] = toFloat(*from);
  } else {
    const auto pack = *reinterpret_cast<const Pack<T, count>*>(from);
    for (int i = 0; i < count; i++) to[i] = toFloat(pack.x[i]);
  }
}

template <class T, int count>
__device__ void storePack(T* to, const float (&from)[count]) {
  if constexpr (count == 1) {
    *to = fromFloat<T>(from[0]);
  } else {
    Pack<T, count> pack;
    for (int i = 0; i < count; i++) pack.x[i] = fromFloat<T>(from[i]);
    *reinterpret_cast<Pack<T, count>*>(to) = pack;
  }
}

template <int count>
__device__ void loadFloats(float (&to)[count], const float* from) {
  if constexpr (count == 1) {
    to[0] = *from;
  } else {
    for (int i = 0; i < count; i += 4) {
      const float4 x = *reinterpret_cast<const float4*>(from + i);
      to[i] = x.x, to[i + 1] = x.y, to[i + 2] = x.z, to[i + 3] = x.w;
    }
  }
}

// `lanes` threads, a power of two, share a row; each holds, `pieces` times, `count` numbers of its first half and their
// partners of the second. A sequence is a y of the grid.
template <class T, int count, int pieces>
__global__ void rotateRows(AttentionData<T> a, int lanes) {
  const int row = static_cast<int>((int64_t{blockIdx.x} * rotateThreads + threadIdx.x) / lanes), lane = threadIdx.x % lanes;
  const int rowsOfToken = 2 * a.heads, half = a.dim / 2;
  const int t = row / rowsOfToken, column = row % rowsOfToken, part = column / a.heads, h = column % a.heads;
  const bool valid = t < a.time;
  for (int b = blockIdx.y; b < a.batch; b += gridDim.y) {
    const int64_t token = int64_t{b} * a.time + t;
    const T* from = a.qkv + token * 3 * a.width() + int64_t{column} * a.dim;
    float first[pieces][count] = {}, second[pieces][count] = {};
    float squares = 0;
    for (int p = 0; p < pieces; p++) {
      const int d = (p * lanes + lane) * count;
      if (!valid || d >= half) continue;
      loadPack(first[p], from + d);
      loadPack(second[p], from + d + half);
      for (int i = 0; i < count; i++) squares += first[p][i] * first[p][i] + second[p][i] * second[p][i];
    }
    for (int offset = lanes / 2; offset > 0; offset /= 2) squares += __shfl_xor_sync(allLanes, squares, offset);
    if (!valid) continue;
    const float r = 1.0f / sqrtf(squares / static_cast<float>(a.dim) + kRmsEpsilon);
    if (lane == 0) a.inverse[token * rowsOfToken + column] = r;
    T* to = (part == 0 ? a.q : a.k) + ((int64_t{b} * a.heads + h) * a.time + t) * a.dim;
    for (int p = 0; p < pieces; p++) {
      const int d = (p * lanes + lane) * count;
      if (d >= half) continue;
      float cosines[count], sines[count], x[count], y[count];
      loadFloats(cosines, a.cosines + int64_t{t} * half + d);
      loadFloats(sines, a.sines + int64_t{t} * half + d);
      for (int i = 0; i < count; i++) {
        const float u = first[p][i] * r, v = second[p][i] * r;
        x[i] = u * cosines[i] + v * sines[i];
        y[i] = v * cosines[i] - u * sines[i];
      }
      storePack(to + d, x);
      storePack(to + d + half, y);
    }
  }
}

template <class T, int count, int pieces>
void launchRotation(const Stream& stream, const AttentionData<T>& a) {
  int lanes = 1;
  while (lanes < warpSize32 && lanes * count < a.dim / 2) lanes *= 2;
  constexpr int64_t mostInY = 65535;  // CUDA C++ Programming Guide, "Technical Specifications"
  const int64_t threads = 2 * int64_t{a.heads} * a.time * lanes;
  const dim3 grid(static_cast<unsigned>(ceilDiv(threads, rotateThreads)),
                  static_cast<unsigned>(std::min<int64_t>(a.batch, mostInY)));
  launch(stream, rotateRows<T, count, pieces>, grid, dim3(rotateThreads), 0, a, lanes);
}

}  // namespace

template <class T>
void rotateHeads(const Stream& stream, const AttentionData<T>& a) {
  constexpr int vector = 16 / sizeof(T);
  // The first half of a row is at most 128 numbers: 32 lanes with 4 of fp32, or 4 times one of any type.
  if (a.dim / 2 % vector == 0)
    launchRotation<T, vector, 1>(stream, a);
  else
    launchRotation<T, 1, plainLargestDim / 2 / warpSize32>(stream, a);
}

template void rotateHeads(const Stream&, const AttentionData<float>&);
template void rotateHeads(const Stream&, const AttentionData<bf16>&);

}  // namespace muonscope::cuda
