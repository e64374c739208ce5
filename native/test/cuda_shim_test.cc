// The stand-in for CUDA: kernels run as they would, and faulty ones are found.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <vector>

#include "backend/cuda/element.cuh"
#include "backend/cuda/launch.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/shared_memory.cuh"
#include "backend/cuda/tensor_core.cuh"
#include "test/cuda_shim/shim.h"
#include "test/test.h"

// Kernels that use static shared memory live in this namespace as those of the backend do.
namespace muonscope::cuda {
namespace {

__global__ void addOne(float* x, int64_t n) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += int64_t{gridDim.x} * blockDim.x) x[i] += 1;
}

__global__ void sumBlock(double* out, const double* x) {
  __shared__ double shared[warpSize32];
  const double sum = blockSum(x[blockIdx.x * blockDim.x + threadIdx.x], shared);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

template <class T>
__global__ void reverse(T* x) {
  T* shared = sharedMemory<T>();
  shared[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void manyBarriers(float* x) {
  __shared__ float shared[128];
  float value = x[blockIdx.x * 128 + threadIdx.x];
  for (int i = 0; i < 50; ++i) {
    shared[threadIdx.x] = value;
    __syncthreads();
    value = shared[(threadIdx.x + 1) % 128];
    __syncthreads();
  }
  x[blockIdx.x * 128 + threadIdx.x] = value;
}

}  // namespace
}  // namespace muonscope::cuda

using namespace muonscope;
using namespace muonscope::cuda;

namespace {

Stream hostStream() {
  static Stream stream = [] {
    Stream s;
    check(cudaStreamCreateWithFlags(&s.handle, cudaStreamNonBlocking), "making a stream");
    s.multiprocessors = 4;
    return s;
  }();
  return stream;
}

}  // namespace

TEST("cuda shim: a loop over the grid") {
  std::vector<float> x(100003, 1);
  launch(hostStream(), addOne, gridFor(hostStream(), 100003, 256), 256, 0, x.data(), 100003);
  CHECK(std::all_of(x.begin(), x.end(), [](float v) { return v == 2; }));
}

TEST("cuda shim: sums of blocks") {
  std::vector<double> x(4 * 256), out(4);
  std::iota(x.begin(), x.end(), 0);
  launch(hostStream(), sumBlock, 4, 256, 0, out.data(), x.data());
  for (int b = 0; b < 4; ++b) CHECK_EQ(out[static_cast<size_t>(b)], 256.0 * (256 * b) + 255 * 128);
}

TEST("cuda shim: dynamic shared memory") {
  std::vector<int> x(1000);
  std::iota(x.begin(), x.end(), 0);
  launch(hostStream(), reverse<int>, 1, 1000, 4000, x.data());
  for (int i = 0; i < 1000; ++i) CHECK_EQ(x[static_cast<size_t>(i)], 999 - i);
  #ifndef MUONSCOPE_SANITIZE
  CHECK_THROWS(launch(hostStream(), reverse<int>, 1, 1000, 3999, x.data()), "beyond the 3999 bytes that the launch asked for (kernel void muonscope::cuda::(anonymous namespace)::reverse<int>(int*), block (0, 0, 0)");
  #endif
}

TEST("cuda shim: many barriers are fast") {
  std::vector<float> x(1024 * 128);
  std::iota(x.begin(), x.end(), 0);
  const auto start = std::chrono::steady_clock::now();
  launch(hostStream(), manyBarriers, 1024, 128, 0, x.data());
  printf("%.3f ms a block\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 1024*1e3);
  for (int i = 0; i < 128; ++i) CHECK_EQ(x[static_cast<size_t>(i)], float((i + 50) % 128));
}
