// Symmetric products of the CUDA backend: every kernel against sums in double, both triangles to the last bit.
#include <cstring>
#include <limits>
#include <memory>

#include "backend/cuda/symmetric_plain.cuh"
#include "backend/cuda/symmetric_tensor_core.cuh"
#include "test/emulated_cuda.h"
#include "test/emulated_settings.h"
#include "test/numeric.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::cuda;
using namespace muonscope::test;

namespace {

// Memory of the device that holds `values` rounded to T, or NaN.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<float>& values) : size_(values.size()) {
    check(cudaMalloc(&data_, std::max<size_t>(1, size_ * sizeof(T))), "allocating");
    std::vector<T> rounded(size_);
    for (size_t i = 0; i < size_; i++) rounded[i] = fromFloat<T>(values[i]);
    check(cudaMemcpy(data_, rounded.data(), size_ * sizeof(T), cudaMemcpyHostToDevice), "copying");
  }
  explicit DeviceArray(int64_t n) : DeviceArray(std::vector<float>(n, std::numeric_limits<float>::quiet_NaN())) {}
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<double> values() const {
    check(cudaDeviceSynchronize(), "waiting");
    std::vector<T> rounded(size_);
    check(cudaMemcpy(rounded.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost), "copying");
    std::vector<double> values(size_);
    for (size_t i = 0; i < size_; i++) values[i] = toFloat(rounded[i]);
    return values;
  }

 private:
  size_t size_;
  T* data_ = nullptr;
};

// What the product should be and how far from it it may be: sums in fp32, of which a rounding, or where a tensor core
// aligns and truncates, is 2^-23 of the terms' absolute values at most; then one rounding to bf16, half of 2^-7 at most. Tf32
// rounds both factors, by half of 2^-10. `mirrored`: the other triangle is the same to the last bit; else it was computed, too.
template <class T>
void checkProduct(const std::vector<double>& c, const std::vector<double>& a, const std::vector<double>& b,
                  const std::vector<double>& d, bool byColumns, int64_t count, int64_t size, int64_t depth, double alpha,
                  double beta, double diagonal, bool tf32 = false, bool mirrored = true) {
  const double rounding = sizeof(T) == 2 ? std::ldexp(1, -8) : 0;
  const double inSums = double(depth + 4) * std::ldexp(1, -23) + (tf32 ? std::ldexp(1.001, -10) : 0);
  for (int64_t m = 0; m < count; m++) {
    const double *am = a.data() + m * size * depth, *bm = b.data() + m * size * depth, *cm = c.data() + m * size * size;
    for (int64_t i = 0; i < size; i++) {
      for (int64_t j = 0; j <= i; j++) {
        double sum = 0, terms = 0;
        for (int64_t k = 0; k < depth; k++) {
          const double term = byColumns ? am[k * size + i] * bm[k * size + j] : am[i * depth + k] * bm[j * depth + k];
          sum += alpha * term;
          terms += std::abs(alpha * term);
        }
        const double before = d.empty() ? 0 : beta * d[(m * size + i) * size + j], shift = i == j ? diagonal : 0;
        const double expected = sum + before + shift;
        const double bound = inSums * (terms + std::abs(before) + std::abs(shift));
        CHECK_LE(std::abs(cm[i * size + j] - expected), bound + rounding * (std::abs(expected) + bound));
        const double difference = std::abs(cm[i * size + j] - cm[j * size + i]);
        CHECK_LE(difference, mirrored ? 0 : 2 * (bound + rounding * (std::abs(expected) + bound)));
      }
    }
  }
}

std::vector<float> randomSymmetric(int64_t count, int64_t size, const std::string& name) {
  std::vector<float> x = randomFloats(count * size * size, name);
  for (int64_t m = 0; m < count; m++) {
    for (int64_t i = 0; i < size; i++) {
      for (int64_t j = 0; j < i; j++) x[(m * size + j) * size + i] = x[(m * size + i) * size + j];
    }
  }
  return x;
}

enum class Kind { gram, polynomial, product };

template <class T>
using Launcher = void (*)(const Stream&, const SymmetricProduct<T>&, int64_t);

template <class T>
void checkKernel(Launcher<T> kernel, bool byColumns, Kind kind, int64_t count, int64_t size, int64_t depth) {
  const bool polynomial = kind == Kind::polynomial;
  const float alpha = kind == Kind::gram ? 1 : -0.75f, beta = polynomial ? 1.5f : 0, diagonal = kind == Kind::gram ? 0 : 3;
  const DeviceArray<T> a(randomFloats(count * size * depth, "a")), other(randomFloats(count * size * depth, "b"));
  const DeviceArray<T> d(randomSymmetric(count, size, "d")), c(count * size * size);
  const DeviceArray<T>& b = kind == Kind::product ? other : a;
  const SymmetricProduct<T> product{c.data(), a.data(), b.data(), polynomial ? d.data() : nullptr, static_cast<int>(size),
                                    static_cast<int>(depth), alpha, beta, diagonal};
  kernel(Stream{}, product, count);
  const std::vector<double> before = polynomial ? d.values() : std::vector<double>{};
  checkProduct<T>(c.values(), a.values(), b.values(), before, byColumns, count, size, depth, alpha, beta, diagonal);
  cudaShim::checkGuards();
}

// Every kind, with rows and with columns: `pairs` of size and depth.
template <class T>
void checkKernels(Launcher<T> rows, Launcher<T> columns, const std::vector<std::pair<int64_t, int64_t>>& pairs) {
  for (const auto& [size, depth] : pairs) {
    const int64_t count = size <= 64 ? 3 : 1;
    for (const Kind kind : {Kind::gram, Kind::polynomial, Kind::product}) {
      checkKernel<T>(rows, false, kind, count, size, depth);
      checkKernel<T>(columns, true, kind, count, size, depth);
    }
  }
}

// An order in which threads run, for as long as it lives.
struct Ordered {
  explicit Ordered(cudaShim::Order order) { cudaShim::setOrder(order); }
  ~Ordered() { cudaShim::setOrder(cudaShim::Order::ascending); }
};

using Sizes = std::vector<std::pair<int64_t, int64_t>>;
const Sizes anySizes = {{1, 1}, {2, 31}, {7, 8}, {8, 1}, {16, 24}, {33, 100}, {64, 16}, {96, 31}, {130, 33}, {136, 264}};
// Of what tensor cores can load: whole chunks of eight, more and fewer panels than the ring has, ragged ends.
const Sizes chunkSizes = {{8, 8}, {16, 24}, {64, 32}, {96, 264}, {128, 64}, {136, 104}, {200, 64}, {264, 40}};

// For 1×1 matrices.
__global__ void square(SymmetricProduct<float> batch) {
  const SymmetricProduct<float> p = batch.from(blockIdx.y);
  *p.c += *p.a * *p.b;
}

}  // namespace

TEST("cuda symmetric: the tiles of a triangle are counted without a gap") {
  int64_t index = 0;
  for (int row = 0; row < 700; row++) {
    for (int col = 0; col <= row; col++, index++) {
      CHECK_EQ(triangleTile(index).row, row);
      CHECK_EQ(triangleTile(index).col, col);
    }
  }
  for (const int64_t row : {4095, 4096, 11585, 46339, 65000}) {  // where fp32 does not hold the index
    const int64_t first = row * (row + 1) / 2;
    CHECK_EQ(triangleTile(first).row, row);
    CHECK_EQ(triangleTile(first).col, 0);
    CHECK_EQ(triangleTile(first - 1).row, row - 1);
    CHECK_EQ(triangleTile(first - 1).col, row - 1);
  }
}

TEST("cuda symmetric: small tiles where large ones leave multiprocessors idle") {
  Stream stream;
  stream.multiprocessors = 132;
  CHECK(prefersSmallTiles(stream, 768, 1));    // 78 tiles against 21
  CHECK(prefersSmallTiles(stream, 64, 1000));  // large ones would be three quarters empty
  CHECK(!prefersSmallTiles(stream, 768, 48));
  CHECK(!prefersSmallTiles(stream, 128, 1000));
}

TEST("cuda symmetric: more matrices than a grid has rows") {
  constexpr int64_t count = 65537;
  const DeviceArray<float> c(std::vector<float>(count, 0)), a(std::vector<float>(count, 2));
  const SymmetricProduct<float> product{c.data(), a.data(), a.data(), nullptr, 1, 1, 1, 0, 0};
  launchTiles(Stream{}, square, product, count, smallTile, 1, 0);
  for (const double value : c.values()) CHECK_EQ(value, 4);
}

TEST("cuda symmetric: plain kernels in fp32") {
  checkKernels<float>(launchPlain<float, false, 64>, launchPlain<float, true, 64>, anySizes);
  const Sizes some = {{1, 1}, {8, 24}, {33, 7}, {96, 31}, {130, 33}, {264, 8}};
  checkKernels<float>(launchPlain<float, false, 128>, launchPlain<float, true, 128>, some);
}

TEST("cuda symmetric: the plain kernel for bf16 that tensor cores cannot load") {
  checkKernels<bf16>(launchPlain<bf16, false, 64>, launchPlain<bf16, true, 64>, anySizes);
}

TEST("cuda symmetric: tensor cores, small tiles") {
  checkKernels<bf16>(launchTensorCore<false, 64>, launchTensorCore<true, 64>, chunkSizes);
  checkKernel<bf16>(launchTensorCore<true, 64>, true, Kind::gram, 1, 72, 31);  // by columns, any depth
}

TEST("cuda symmetric: tensor cores, large tiles") {
  checkKernels<bf16>(launchTensorCore<false, 128>, launchTensorCore<true, 128>, chunkSizes);
  checkKernel<bf16>(launchTensorCore<false, 128>, false, Kind::polynomial, 3, 264, 264);
  checkKernel<bf16>(launchTensorCore<true, 128>, true, Kind::gram, 1, 128, 1);
}

TEST("cuda symmetric: in any order of the threads") {
  for (const cudaShim::Order order : {cudaShim::Order::descending, cudaShim::Order::shuffled}) {
    const Ordered ordered(order);
    for (const Kind kind : {Kind::polynomial, Kind::product}) {
      checkKernel<float>(launchPlain<float, false, 128>, false, kind, 1, 130, 50);
      checkKernel<float>(launchPlain<float, true, 64>, true, kind, 2, 66, 50);
      checkKernel<bf16>(launchTensorCore<false, 64>, false, kind, 2, 72, 200);
      checkKernel<bf16>(launchTensorCore<true, 128>, true, kind, 1, 136, 200);
    }
  }
}

TEST("cuda symmetric: nothing to sum, and nothing to do") {
  checkKernels<float>(launchPlain<float, false, 64>, launchPlain<float, true, 64>, {{5, 0}, {0, 5}});
  checkKernels<bf16>(launchTensorCore<false, 128>, launchTensorCore<true, 128>, {{8, 0}, {0, 8}});
  checkKernel<float>(launchPlain<float, false, 64>, false, Kind::gram, 0, 5, 5);
}

namespace {

// gram, polynomial and symmetric of a backend for matrices of `size`, with the other side `depth`.
template <class T>
void checkBackend(Backend& backend, int64_t count, int64_t size, int64_t depth, bool tf32, bool whole) {
  const DeviceArray<T> x(randomFloats(count * size * depth, "x")), s(randomSymmetric(count, size, "s"));
  const ComputeBatch square{s.data(), count, size, size};
  const DeviceArray<T> rows(count * size * size), columns(count * size * size), z(count * size * size), c(count * size * size);
  const auto result = [&](const DeviceArray<T>& to) { return ComputeBatch{to.data(), count, size, size}; };
  backend.gram(result(rows), {x.data(), count, size, depth}, Side::rows);
  backend.gram(result(columns), {x.data(), count, depth, size}, Side::columns);
  backend.polynomial(result(z), square, 3.5, -4.75, 2.0);
  backend.symmetric(result(c), square, result(z));
  const std::vector<double> xs = x.values(), ss = s.values(), zs = z.values(), none;
  checkProduct<T>(rows.values(), xs, xs, none, false, count, size, depth, 1, 0, 0, tf32, !whole);
  checkProduct<T>(columns.values(), xs, xs, none, true, count, size, depth, 1, 0, 0, tf32, !whole);
  checkProduct<T>(zs, ss, ss, ss, false, count, size, size, 2.0, -4.75, 3.5, tf32, !whole);
  checkProduct<T>(c.values(), ss, zs, none, false, count, size, size, 1, 0, 0);
}

}  // namespace

TEST("cuda symmetric: what the backend computes, by its kernels and by cuBLASLt") {
  const EmulatedSettings settings;
  for (const bool tf32 : {false, true}) {
    const auto backend = makeEmulatedCudaBackend(tf32 ? "tf32" : "fp32");
    checkBackend<float>(*backend, 3, 24, 40, tf32, tf32);
    checkBackend<float>(*backend, 1, 70, 9, tf32, tf32);
  }
  for (const int major : {8, 9}) {
    cudaShim::settings().computeCapabilityMajor = major;
    const auto backend = makeEmulatedCudaBackend("bf16");
    checkBackend<bf16>(*backend, 3, 24, 40, false, major == 9);
    checkBackend<bf16>(*backend, 2, 24, 41, false, major == 9);
    checkBackend<bf16>(*backend, 1, 13, 8, false, major == 9);
  }
}

TEST("cuda symmetric: shapes that do not match are refused") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  const auto batch = [](int64_t count, int64_t rows, int64_t cols) { return ComputeBatch{nullptr, count, rows, cols}; };
  CHECK_THROWS(backend->gram(batch(2, 4, 4), batch(2, 3, 4), Side::rows),
               "expected a result of 2 of [3, 3] for 2 of [3, 4], received 2 of [4, 4]");
  CHECK_THROWS(backend->gram(batch(1, 4, 4), batch(2, 3, 4), Side::columns), "received 1 of [4, 4]");
  CHECK_THROWS(backend->polynomial(batch(1, 4, 4), batch(1, 4, 5), 1, 1, 1), "expected square matrices, received 1 of [4, 5]");
  CHECK_THROWS(backend->symmetric(batch(1, 4, 4), batch(1, 4, 4), batch(1, 5, 5)), "for 1 of [5, 5], received 1 of [4, 4]");
}

TEST("cuda symmetric: which form and how many at a time") {
  const auto fp32 = makeEmulatedCudaBackend("fp32"), half = makeEmulatedCudaBackend("bf16");
  CHECK(fp32->prefersGram(768, 3072) && fp32->prefersGram(3072, 768) && fp32->prefersGram(64, 128));
  CHECK(!fp32->prefersGram(768, 768) && !fp32->prefersGram(768, 1535) && !fp32->prefersGram(63, 1000));
  CHECK(!half->prefersGram(768, 3072) && !makeEmulatedCudaBackend("tf32")->prefersGram(768, 3072));
  CHECK_EQ(fp32->preferredBatch(768, 768), 113);
  CHECK_EQ(fp32->preferredBatch(50304, 4096), 1);
  CHECK(fp32->preferredBatch(0, 0) >= 1);
}
