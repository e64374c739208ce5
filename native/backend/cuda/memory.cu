// Memory of the device: allocating, copying from and to the host, and conversion between fp32 and the compute type.
#include <algorithm>
#include <cstring>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/element.cuh"
#include "backend/cuda/memory_pool.h"
#include "backend/cuda/recording.h"

namespace muonscope::cuda {
namespace {

// Uploads of up to this many bytes go through page-locked memory and wait for nothing: those of every micro-batch are the
// 4·B·T bytes of its tokens. Larger ones are weights at the beginning.
constexpr int64_t pinnedUpTo = int64_t{4} << 20;

constexpr int threads = 256;  // of a block; eight blocks of it are as many threads as a multiprocessor holds
// Numbers that a thread converts at a time: as bf16 they are 16 bytes, the widest access of a thread (CUDA C++ Programming
// Guide, "Device Memory Accesses").
constexpr int group = 8;

template <class T>
struct alignas(16) Group {
  T x[group];
};

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// y = x for `count` arrays of n numbers: y's begin every yStride numbers, x's every xStride. `inGroups`: all begin at a
// multiple of 16 bytes.
template <class To, class From>
__global__ void convert(To* y, int64_t yStride, const From* x, int64_t xStride, int64_t n, int64_t count, bool inGroups) {
  const int64_t first = int64_t{blockIdx.x} * blockDim.x + threadIdx.x, step = int64_t{gridDim.x} * blockDim.x;
  const int64_t groups = inGroups ? n / group : 0;
  for (int64_t matrix = blockIdx.y; matrix < count; matrix += gridDim.y) {
    const From* from = x + matrix * xStride;
    To* to = y + matrix * yStride;
    for (int64_t i = first; i < groups; i += step) {
      const Group<From> in = reinterpret_cast<const Group<From>*>(from)[i];
      Group<To> out;
#pragma unroll
      for (int j = 0; j < group; j++) out.x[j] = fromFloat<To>(toFloat(in.x[j]));
      reinterpret_cast<Group<To>*>(to)[i] = out;
    }
    for (int64_t i = groups * group + first; i < n; i += step) to[i] = fromFloat<To>(toFloat(from[i]));
  }
}

template <class To, class From>
void launchConvert(const Stream& stream, To* y, int64_t yStride, const From* x, int64_t xStride, int64_t n, int64_t count) {
  if (n == 0 || count == 0) return;
  if (count == 1 || (yStride == n && xStride == n)) {
    n *= count;
    count = 1;
  }
  const bool inGroups = aligned(y) && aligned(x) &&
                        (count == 1 || (yStride * sizeof(To) % 16 == 0 && xStride * sizeof(From) % 16 == 0));
  // The y dimension of a grid has at most 65535 blocks (CUDA C++ Programming Guide, "Technical Specifications per Compute
  // Capability").
  const auto matrices = static_cast<unsigned>(std::min<int64_t>(count, 65535));
  const int64_t perBlock = inGroups ? threads * group : threads;
  const int64_t most = ceilDiv(gridFor(stream, n * count, perBlock), matrices);
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(ceilDiv(n, perBlock), 1, most));
  launch(stream, convert<To, From>, dim3(blocks, matrices), dim3(threads), 0, y, yStride, x, xStride, n, count, inGroups);
}

size_t bytesOf(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

// Waits: what is copied is there, and may be changed, when it returns.
void copyAndWait(const Stream& stream, void* to, const void* from, size_t bytes, cudaMemcpyKind kind, const char* what) {
  refuseWhileRecording(stream, what);
  if (bytes == 0) return;
  check(cudaSetDevice(stream.device), "choosing the device");
  check(cudaMemcpyAsync(to, from, bytes, kind, stream.handle), what);
  check(cudaStreamSynchronize(stream.handle), what);
}

}  // namespace

float* CudaBackend::allocateMemory(int64_t floats) {
  auto* p = static_cast<float*>(pool_->allocate(floats * static_cast<int64_t>(sizeof(float))));
  try {
    zero(p, floats);
  } catch (...) {
    pool_->release(p);
    throw;
  }
  return p;
}

void CudaBackend::releaseMemory(float* p) noexcept { pool_->release(p); }

int64_t CudaBackend::freeBytes() const { return pool_->freeBytes(); }

void CudaBackend::upload(float* to, const float* hostFrom, int64_t n) {
  const size_t bytes = bytesOf(n);
  if (static_cast<int64_t>(bytes) > pinnedUpTo)
    return copyAndWait(stream_, to, hostFrom, bytes, cudaMemcpyHostToDevice, "copying to the device");
  refuseWhileRecording(stream_, "copying to the device");
  if (n == 0) return;
  pinned_.upload(stream_, to, static_cast<int64_t>(bytes), [&](void* pinned) { std::memcpy(pinned, hostFrom, bytes); });
}

void CudaBackend::download(float* hostTo, const float* from, int64_t n) {
  copyAndWait(stream_, hostTo, from, bytesOf(n), cudaMemcpyDeviceToHost, "copying from the device");
}

void CudaBackend::read(double* hostTo, const double* from, int64_t n) {
  copyAndWait(stream_, hostTo, from, static_cast<size_t>(n) * sizeof(double), cudaMemcpyDeviceToHost, "reading from the device");
}

void CudaBackend::copy(float* to, const float* from, int64_t n) {
  if (n == 0) return;
  check(cudaSetDevice(stream_.device), "choosing the device");
  check(cudaMemcpyAsync(to, from, bytesOf(n), cudaMemcpyDeviceToDevice, stream_.handle), "copying on the device");
}

void CudaBackend::zero(float* to, int64_t n) {
  if (n == 0) return;
  check(cudaSetDevice(stream_.device), "choosing the device");
  check(cudaMemsetAsync(to, 0, bytesOf(n), stream_.handle), "zeroing device memory");
}

void CudaBackend::toCompute(ComputeMatrix y, Matrix x) {
  if (computeBytes() == sizeof(float)) return copy(static_cast<float*>(y.data), x.data, x.size());
  launchConvert(stream_, static_cast<bf16*>(y.data), x.size(), x.data, x.size(), x.size(), 1);
}

void CudaBackend::fromCompute(Batch y, ComputeBatch x) {
  withComputeType(computeBytes(), [&](auto element) {
    launchConvert(stream_, y.data, y.stride, static_cast<const decltype(element)*>(x.data), x.size(), x.size(), x.count);
  });
}

}  // namespace muonscope::cuda
