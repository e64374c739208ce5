// The stand-in for CUDA runs kernels as a device would, and finds those that a device would not forgive.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "test/cuda_shim_fixture.h"

// Kernels that use static shared memory live in this namespace, as those of the backend do: it is filled with NaN for them.
namespace muonscope::cuda {
namespace {

__global__ void number(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += static_cast<int>(block * 1000 + thread);
}

__global__ void sumOfBlock(double* out, const double* x) {
  __shared__ double shared[warpSize32];
  const double sum = blockSum(x[blockIdx.x * blockDim.x + threadIdx.x], shared);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

template <bool barrier>
__global__ void reverse(int* x) {
  int* shared = sharedMemory<int>();
  shared[threadIdx.x] = x[threadIdx.x];
  if constexpr (barrier) __syncthreads();
  x[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void unwritten(float* out) {
  __shared__ float fixed[8];
  float* dynamic = sharedMemory<float>();
  out[2 * blockIdx.x] = fixed[threadIdx.x];
  out[2 * blockIdx.x + 1] = dynamic[threadIdx.x];
  fixed[threadIdx.x] = dynamic[threadIdx.x] = 1;
}

__global__ void someReturn() {
  if (threadIdx.x < 32) return;
  __syncthreads();
}

__global__ void twoBarriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void lanesAreMissing(float* out) {
  if (threadIdx.x % 32 != 5) out[threadIdx.x] = warpSum(1.0f);
}

__global__ void maskLacksCaller(int* out) { out[threadIdx.x] = __shfl_sync(0xffff, 1, 0); }

__global__ void exchanges(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(allLanes, lane, 37);                         // 37 % 32
  out[32 + lane] = __shfl_sync(allLanes, lane, 3, 8);                  // third of the group
  out[64 + lane] = __shfl_down_sync(allLanes, lane, 20);               // own beyond the end
  out[96 + lane] = __shfl_down_sync(allLanes, lane, 3, 8);
  out[128 + lane] = __shfl_xor_sync(allLanes, lane, 21);
  out[160 + lane] = static_cast<int>(__ballot_sync(allLanes, lane % 3 == 0));
  out[192 + lane] = static_cast<int>(__shfl_xor_sync(allLanes, 0.5 * lane, 1) * 2);
  if (lane < 16) out[224 + lane] = __shfl_xor_sync(0x0000ffffu, lane, 1);
}

template <bool synchronised>
__global__ void acrossTheWarp(int* out) {
  __shared__ int shared[32];
  shared[threadIdx.x] = static_cast<int>(threadIdx.x);
  if constexpr (synchronised) __syncwarp();
  out[threadIdx.x] = shared[31 - threadIdx.x];
}

__global__ void count(int* sum, unsigned* largest, unsigned long long* wide) {
  atomicAdd(sum, 1);
  atomicMax(largest, blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(wide, 1ull << 32);
}

// Which block came last is nothing that a result may depend on.
__global__ void last(unsigned* out) { *out = blockIdx.x; }

__global__ void throwInOne() {
  __syncthreads();
  if (threadIdx.x == 70) cudaShim::fail("thrown on purpose");
  __syncthreads();
}

}  // namespace
}  // namespace muonscope::cuda

using namespace muonscope;
using namespace muonscope::cuda;
using cudaShim::Order;
using test::shimStream;

TEST("cuda shim: every thread of every block runs once") {
  for (const Order order : test::allOrders) {
    const test::WithOrder with(order);
    std::vector<int> out(5 * 3 * 2 * 7 * 4 * 2);
    launch(shimStream(), number, dim3(5, 3, 2), dim3(7, 4, 2), 0, out.data());
    for (int i = 0; i < static_cast<int>(out.size()); ++i) CHECK_EQ(out[static_cast<size_t>(i)], i / 56 * 1000 + i % 56);
  }
}

TEST("cuda shim: sums over blocks") {
  std::vector<double> x(4 * 256), out(4);
  std::iota(x.begin(), x.end(), 0);
  for (const Order order : test::allOrders) {
    const test::WithOrder with(order);
    launch(shimStream(), sumOfBlock, 4, 256, 0, out.data(), x.data());
    for (int b = 0; b < 4; ++b) CHECK_EQ(out[static_cast<size_t>(b)], 256.0 * (256 * b) + 255 * 128);
  }
}

TEST("cuda shim: a barrier that is missing shows in some order") {
  const auto reversed = [](auto kernel) {
    std::vector<int> x(300);
    std::iota(x.begin(), x.end(), 0);
    launch(shimStream(), kernel, 1, 300, 1200, x.data());
    int right = 0;
    for (int i = 0; i < 300; ++i) right += x[static_cast<size_t>(i)] == 299 - i;
    return right;
  };
  for (const Order order : test::allOrders) {
    const test::WithOrder with(order);
    CHECK_EQ(reversed(reverse<true>), 300);
    // The second half of the threads of a plain order finds what the first half wrote.
    if (order != Order::shuffled) CHECK_EQ(reversed(reverse<false>), 150);
    if (order == Order::shuffled) CHECK(reversed(reverse<false>) < 300);
  }
}

TEST("cuda shim: __syncwarp that is missing shows") {
  for (const Order order : {Order::ascending, Order::descending}) {
    const test::WithOrder with(order);
    std::vector<int> out(32);
    launch(shimStream(), acrossTheWarp<true>, 1, 32, 0, out.data());
    for (int i = 0; i < 32; ++i) CHECK_EQ(out[static_cast<size_t>(i)], 31 - i);
    launch(shimStream(), acrossTheWarp<false>, 1, 32, 0, out.data());
    CHECK(out[order == Order::ascending ? 0 : 31] != (order == Order::ascending ? 31 : 0));
  }
}

TEST("cuda shim: blocks run in the order that is asked for") {
  const auto lastOf = [](Order order) {
    const test::WithOrder with(order);
    unsigned out = 0;
    launch(shimStream(), last, 1000, 1, 0, &out);
    return out;
  };
  CHECK_EQ(lastOf(Order::ascending), 999u);
  CHECK_EQ(lastOf(Order::descending), 0u);
  CHECK(lastOf(Order::shuffled) != 999 && lastOf(Order::shuffled) != 0);
}

TEST("cuda shim: shared memory is NaN until it is written") {
  std::vector<float> out(6);
  launch(shimStream(), unwritten, 3, 1, 32, out.data());
  for (size_t block = 0; block < 3; ++block) {
    if (!test::sanitized) CHECK(std::isnan(out[2 * block]));
    CHECK(std::isnan(out[2 * block + 1]));
  }
}

TEST("cuda shim: exchanges within a warp") {
  std::vector<int> out(256);
  launch(shimStream(), exchanges, 1, 32, 0, out.data());
  unsigned thirds = 0;
  for (unsigned i = 0; i < 32; i += 3) thirds |= 1u << i;
  for (int i = 0; i < 32; ++i) {
    const auto got = [&](int which) { return out[static_cast<size_t>(32 * which + i)]; };
    CHECK_EQ(got(0), 5);
    CHECK_EQ(got(1), i / 8 * 8 + 3);
    CHECK_EQ(got(2), i + 20 < 32 ? i + 20 : i);
    CHECK_EQ(got(3), i % 8 + 3 < 8 ? i + 3 : i);
    CHECK_EQ(got(4), i ^ 21);
    CHECK_EQ(static_cast<unsigned>(got(5)), thirds);
    CHECK_EQ(got(6), i ^ 1);
    if (i < 16) CHECK_EQ(got(7), i ^ 1);
  }
}

TEST("cuda shim: threads that do not come") {
  float out[64];
  int ints[64];
  CHECK_THROWS(launch(shimStream(), someReturn, 1, 128, 0), "32 threads (first: number 0) have returned, 96 threads (first: number 32) wait at __syncthreads at cuda_shim_test.cc:");
  CHECK_THROWS(launch(shimStream(), someReturn, dim3(2, 2), 128, 0), "(kernel muonscope::cuda::(anonymous namespace)::someReturn(), block (0, 0, 0))");
  CHECK_THROWS(launch(shimStream(), twoBarriers, 1, 64, 0), "Threads of a block wait at two barriers");
  CHECK_THROWS(launch(shimStream(), lanesAreMissing, 1, 64, 0, out), "wait at __shfl_xor_sync at reduce.cuh:");
  CHECK_THROWS(launch(shimStream(), maskLacksCaller, 1, 32, 0, ints), "a mask that lacks the lane that calls it");
  // A warp of 16 lanes cannot fill a mask of 32.
  CHECK_THROWS(launch(shimStream(), exchanges, 1, 16, 0, ints), "Not all threads come");
}

TEST("cuda shim: what a thread throws reaches who launched") {
  CHECK_THROWS(launch(shimStream(), throwInOne, 2, 128, 0), "thrown on purpose (kernel muonscope::cuda::(anonymous namespace)::throwInOne(), block (0, 0, 0), thread (70, 0, 0)).");
  // The threads that it left waiting are in nobody's way.
  std::vector<int> x(300);
  launch(shimStream(), reverse<true>, 1, 300, 1200, x.data());
}

TEST("cuda shim: atomics over a grid") {
  for (const Order order : test::allOrders) {
    const test::WithOrder with(order);
    int sum = 0;
    unsigned largest = 0;
    unsigned long long wide = 0;
    launch(shimStream(), count, 7, 100, 0, &sum, &largest, &wide);
    CHECK_EQ(sum, 700);
    CHECK_EQ(largest, 699u);
    CHECK_EQ(wide, 700ull << 32);
  }
}

TEST("cuda shim: dynamic shared memory has an end") {
  if (test::sanitized) return test::skip("AddressSanitizer ends the program at such an access");
  std::vector<int> x(300);
  CHECK_THROWS(launch(shimStream(), reverse<true>, 1, 300, 1199, x.data()), "Dynamic shared memory was written beyond the 1199 bytes that the launch asked for");
}

TEST("cuda shim: launches that no device takes") {
  std::vector<int> x(1024);
  const auto direct = [&](dim3 grid, dim3 block, size_t shared) {
    cudaLaunchConfig_t config{grid, block, shared, shimStream().handle, nullptr, 0};
    return cudaLaunchKernelEx(&config, number, x.data());
  };
  CHECK_EQ(direct(1, 1024, 48 * 1024), cudaSuccess);
  CHECK_THROWS(direct(1, 1025, 0), "1025 x 1 x 1 threads");
  CHECK_THROWS(direct(1, dim3(1, 1, 65), 0), "1 x 1 x 65 threads");
  CHECK_THROWS(direct(1, 0, 0), "0 x 1 x 1 threads");
  CHECK_THROWS(direct(dim3(1, 65536), 1, 0), "1 x 65536 x 1 blocks");
  CHECK_THROWS(direct(dim3(1, 1, 65536), 1, 0), "1 x 1 x 65536 blocks");
  CHECK_THROWS(direct(1, 1, 48 * 1024 + 1), "49153 bytes of dynamic shared memory where the kernel may use 49152");
  CHECK_EQ(cudaFuncSetAttribute(number, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024), cudaSuccess);
  CHECK_EQ(direct(1, 1, 227 * 1024), cudaSuccess);
  CHECK_EQ(cudaFuncSetAttribute(number, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024 + 1), cudaErrorInvalidValue);
}
