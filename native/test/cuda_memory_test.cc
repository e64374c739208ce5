// Memory of the CUDA backend: the pool, its limits, copies, and conversion between fp32 and the compute type.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "backend/cuda/memory_pool.h"
#include "backend/cuda/scratch.h"
#include "test/cuda_shim/shim.h"
#include "test/emulated_cuda.h"
#include "test/emulated_settings.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

struct OpenStream : cuda::Stream {
  OpenStream() { cuda::check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "opening a stream"); }
  ~OpenStream() { cudaStreamDestroy(handle); }
};

// To the nearest bf16, ties to even, by the bits (IEEE 754-2019, 4.3.1): as fp32.
float toBf16(float x) {
  if (std::isnan(x)) return x;
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

bool same(float a, float b) { return std::isnan(a) ? std::isnan(b) : std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

// Of both signs: zeros, subnormal numbers, ties that go down and up, the largest that does not become infinite and the
// smallest that does, infinity, not a number.
std::vector<float> difficult() {
  std::vector<float> values;
  for (uint32_t bits : {0u, 1u, 0x00007fffu, 0x00008000u, 0x00018000u, 0x007fffffu, 0x3f808000u, 0x3f818000u, 0x3f807fffu,
                        0x3f808001u, 0x7f7f7fffu, 0x7f7f8000u, 0x7f7fffffu, 0x7f800000u, 0x7fc00000u, 0x7f800001u})
    for (uint32_t sign : {0u, 0x80000000u}) values.push_back(std::bit_cast<float>(bits | sign));
  return values;
}

std::vector<float> numbers(int64_t n) {
  std::vector<float> values = difficult();
  values.resize(static_cast<size_t>(n));
  for (size_t i = difficult().size(); i < values.size(); i++)
    values[i] = 3e-5f * static_cast<float>(i * 2654435761u % 1000003u) - 15;
  return values;
}

// x as the compute type and back; memory begins `offset` numbers after what the backend gives.
std::vector<float> thereAndBack(Backend& backend, const std::vector<float>& x, int64_t offset) {
  const auto n = static_cast<int64_t>(x.size());
  float* wide = backend.allocate(n + offset);
  float* compute = backend.allocate(n + offset);
  auto* begin = reinterpret_cast<unsigned char*>(compute) + offset * backend.info().computeBytes;
  backend.upload(wide + offset, x.data(), n);
  backend.toCompute({begin, 1, n}, {wide + offset, 1, n});
  backend.zero(wide, n + offset);
  backend.fromCompute({wide + offset, 1, 1, n, n}, {begin, 1, 1, n});
  std::vector<float> y(x.size());
  backend.download(y.data(), wide + offset, n);
  backend.release(wide);
  backend.release(compute);
  return y;
}

}  // namespace

TEST("cuda memory: a released block is given again, to what fills seven eighths of it") {
  const OpenStream stream;
  cuda::MemoryPool pool(stream);
  void* a = pool.allocate(9 * kMiB);
  CHECK(pool.allocate(9 * kMiB) != a);
  pool.release(a);
  const size_t before = cudaShim::allocatedBytes();
  CHECK(pool.allocate(8 * kMiB) == a);
  CHECK_EQ(cudaShim::allocatedBytes(), before);
  pool.release(a);
  CHECK(pool.allocate(8 * kMiB - 9) != a);
  CHECK(pool.allocate(9 * kMiB + 1) != a);
  CHECK(pool.allocate(9 * kMiB) == a);
}

TEST("cuda memory: small blocks serve anything smaller, the best fit first") {
  const OpenStream stream;
  cuda::MemoryPool pool(stream);
  void* small = pool.allocate(1000);
  void* large = pool.allocate(kMiB - 1);
  pool.release(small);
  pool.release(large);
  CHECK(pool.allocate(4) == small);
  CHECK(pool.allocate(0) == large);
  CHECK(pool.allocate(0) != nullptr);
}

TEST("cuda memory: the pool frees all that it gave") {
  const size_t before = cudaShim::allocatedBytes();
  {
    const OpenStream stream;
    cuda::MemoryPool pool(stream);
    pool.allocate(100);
    pool.release(pool.allocate(200));
  }
  CHECK_EQ(cudaShim::allocatedBytes(), before);
  makeEmulatedCudaBackend("bf16")->allocate(1000);
  CHECK_EQ(cudaShim::allocatedBytes(), before);
}

TEST("cuda memory: what is kept counts as free, and is freed when memory is short") {
  const EmulatedSettings settings;
  cudaShim::settings().totalBytes = cudaShim::allocatedBytes() + static_cast<size_t>(30 * kMiB);
  const OpenStream stream;
  cuda::MemoryPool pool(stream);
  void* first = pool.allocate(20 * kMiB);
  CHECK_EQ(pool.freeBytes(), 10 * kMiB);
  pool.release(first);
  CHECK_EQ(pool.freeBytes(), 30 * kMiB);
  void* second = pool.allocate(25 * kMiB);
  CHECK_EQ(pool.freeBytes(), 5 * kMiB);
  pool.release(second);
}

TEST("cuda memory: too much is a bad_alloc with the numbers, and the backend goes on") {
  const EmulatedSettings settings;
  cudaShim::settings().totalBytes = size_t{1} << 30;
  const auto backend = makeEmulatedCudaBackend("fp32");
  std::string message;
  try {
    backend->allocate(int64_t{1} << 32);
  } catch (const std::bad_alloc& error) {
    message = error.what();
  }
  char expected[64];
  std::snprintf(expected, sizeof expected, "16.0 GiB wanted, %.1f GiB free", static_cast<double>(backend->freeBytes()) / 0x1p30);
  CHECK_EQ(message, std::string(expected));
  CHECK(cudaGetLastError() == cudaSuccess);
  backend->release(backend->allocate(1000));
}

TEST("cuda memory: another error of an allocation is not taken for want of memory") {
  const EmulatedSettings settings;
  const auto backend = makeEmulatedCudaBackend("fp32");
  cudaShim::failCall(1, cudaErrorIllegalAddress, "cudaMalloc");
  CHECK_THROWS(backend->allocate(1000), "Checkpoints are good: resume from the last one");
}

TEST("cuda memory: scratch grows, keeps its place, and gives the old block back") {
  const OpenStream stream;
  cuda::MemoryPool pool(stream);
  cuda::Scratch scratch(pool);
  float* first = scratch.get<float>(1000);
  CHECK(scratch.get<float>(10) == first);
  CHECK(scratch.get<double>(1000) != static_cast<void*>(first));
  CHECK(pool.allocate(4000) == static_cast<void*>(first));
  CHECK(scratch.get<float>(0) != nullptr);
}

TEST("cuda memory: is zero when it is given again") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  float* p = backend->allocate(1003);
  const std::vector<float> ones(1003, 1.0f);
  backend->upload(p, ones.data(), 1003);
  backend->release(p);
  CHECK(backend->allocate(1003) == p);
  std::vector<float> values(1003, 2.0f);
  backend->download(values.data(), p, 1003);
  for (float value : values) CHECK_EQ(value, 0.0f);
}

TEST("cuda memory: the host's memory may be used again at once, and downloads wait") {
  const EmulatedSettings settings;
  cudaShim::settings().late = true;
  const auto backend = makeEmulatedCudaBackend("fp32");
  for (const int64_t n : {int64_t{1}, int64_t{1001}, 2 * kMiB}) {
    float* p = backend->allocate(5 * n);
    std::vector<float> host(static_cast<size_t>(n));
    for (int64_t part = 0; part < 5; part++) {
      host.assign(static_cast<size_t>(n), static_cast<float>(part + 1));
      backend->upload(p + part * n, host.data(), n);
    }
    backend->copy(p, p + 4 * n, n);
    backend->zero(p + n, n);
    host.assign(static_cast<size_t>(n), -1.0f);
    for (int64_t part = 0; part < 5; part++) {
      backend->download(host.data(), p + part * n, n);
      const float expected = part == 0 ? 5.0f : part == 1 ? 0.0f : static_cast<float>(part + 1);
      for (float value : host) CHECK_EQ(value, expected);
    }
    backend->release(p);
  }
}

TEST("cuda memory: doubles are read, and nothing may be nothing") {
  const auto backend = makeEmulatedCudaBackend("bf16");
  float* p = backend->allocate(6);
  const std::vector<double> values = {1.5, -2e300, std::numeric_limits<double>::infinity()};
  backend->upload(p, reinterpret_cast<const float*>(values.data()), 6);
  std::vector<double> received(3);
  backend->read(received.data(), reinterpret_cast<const double*>(p), 3);
  CHECK(received == values);
  backend->upload(nullptr, nullptr, 0);
  backend->download(nullptr, nullptr, 0);
  backend->read(nullptr, nullptr, 0);
  backend->copy(nullptr, nullptr, 0);
  backend->zero(nullptr, 0);
  backend->toCompute({p, 0, 3}, {p, 0, 3});
  backend->fromCompute({p, 0, 3, 3, 9}, {p, 0, 3, 3});
}

TEST("cuda memory: fp32 to the compute type rounds to nearest, ties to even, at any length and alignment") {
  for (const char* precision : {"fp32", "tf32", "bf16"}) {
    const auto backend = makeEmulatedCudaBackend(precision);
    const bool rounds = backend->info().computeBytes == 2;
    for (const int64_t n : {1, 7, 8, 9, 63, 2051, 4096, 100003})
      for (const int64_t offset : {0, 1, 4}) {
        const std::vector<float> x = numbers(n), y = thereAndBack(*backend, x, offset);
        for (size_t i = 0; i < x.size(); i++) CHECK(same(y[i], rounds ? toBf16(x[i]) : x[i]));
      }
  }
}

TEST("cuda memory: matrices come back from the compute type into a batch with gaps, which stay") {
  struct Case {
    int64_t count, rows, cols, stride;
  };
  for (const char* precision : {"fp32", "bf16"}) {
    const auto backend = makeEmulatedCudaBackend(precision);
    for (const Case c : {Case{3, 4, 8, 48}, {3, 4, 8, 33}, {5, 3, 5, 15}, {70001, 1, 1, 2}, {2, 16, 16, 256}, {1, 3, 5, 99}}) {
      const int64_t size = c.rows * c.cols, n = c.count * size, span = c.count * c.stride;
      const std::vector<float> x = numbers(n);
      float* wide = backend->allocate(n);
      float* compute = backend->allocate(n);
      float* batch = backend->allocate(span);
      backend->upload(wide, x.data(), n);
      backend->toCompute({compute, c.count * c.rows, c.cols}, {wide, c.count * c.rows, c.cols});
      backend->fromCompute({batch, c.count, c.rows, c.cols, c.stride}, {compute, c.count, c.rows, c.cols});
      std::vector<float> y(static_cast<size_t>(span));
      backend->download(y.data(), batch, span);
      for (int64_t i = 0; i < span; i++) {
        const int64_t matrix = i / c.stride, at = i % c.stride;
        const float from = at < size ? x[static_cast<size_t>(matrix * size + at)] : 0.0f;
        CHECK(same(y[static_cast<size_t>(i)], backend->info().computeBytes == 2 ? toBf16(from) : from));
      }
      for (float* p : {wide, compute, batch}) backend->release(p);
    }
  }
}
