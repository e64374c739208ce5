// What products by cuBLASLt can do beyond what the backend asks of them: rows and matrices with gaps between them, memory
// that is aligned to no more than an element, every combination of types, recording.
#include <cuda_runtime.h>

#include <bit>
#include <cstring>

#include "backend/cuda/blas_lt.h"
#include "backend/cuda/memory_pool.h"
#include "test/emulated_settings.h"
#include "test/test.h"

using namespace muonscope::cuda;

namespace {

struct OwnedStream : Stream {
  OwnedStream() { check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "making a stream"); }
  ~OwnedStream() { cudaStreamDestroy(handle); }
  OwnedStream(const OwnedStream&) = delete;
};

struct Device {
  OwnedStream stream;
  MemoryPool pool{stream};
  BlasLt blas{stream, pool};
};

// Whole numbers of -4 … 4, which every type holds exactly, at least `offset` elements after an aligned address.
class Numbers {
 public:
  Numbers(MemoryPool& pool, Element element, int64_t n, int64_t offset)
      : pool_(pool), element_(element), offset_(offset), values_(n) {
    bytes_ = (n + offset) * size();
    memory_ = static_cast<unsigned char*>(pool.allocate(bytes_));
    for (int64_t i = 0; i < n; i++) values_[i] = float((i * 7 + n) % 9 - 4);
    write();
  }
  ~Numbers() { pool_.release(memory_); }

  void* data() const { return memory_ + offset_ * size(); }
  const std::vector<float>& values() const { return values_; }

  void fill(float value) {
    std::fill(values_.begin(), values_.end(), value);
    write();
  }

  std::vector<float> read() const {
    std::vector<unsigned char> host(bytes_);
    check(cudaMemcpy(host.data(), memory_, bytes_, cudaMemcpyDeviceToHost), "reading");
    std::vector<float> values(values_.size());
    for (size_t i = 0; i < values.size(); i++) values[i] = get(&host[(offset_ + i) * size()]);
    return values;
  }

 private:
  int64_t size() const { return element_ == Element::fp32 ? 4 : 2; }

  float get(const unsigned char* from) const {
    uint32_t bits = 0;
    std::memcpy(&bits, from, size());
    return std::bit_cast<float>(element_ == Element::fp32 ? bits : bits << 16);
  }

  void write() {
    std::vector<unsigned char> host(bytes_);
    for (size_t i = 0; i < values_.size(); i++) {
      const uint32_t bits = std::bit_cast<uint32_t>(values_[i]) >> (element_ == Element::fp32 ? 0 : 16);
      std::memcpy(&host[(offset_ + i) * size()], &bits, size());
    }
    check(cudaMemcpy(memory_, host.data(), bytes_, cudaMemcpyHostToDevice), "writing");
  }

  MemoryPool& pool_;
  Element element_;
  int64_t offset_, bytes_;
  unsigned char* memory_;
  std::vector<float> values_;
};

// A batch of matrices whose rows are `gap` elements apart and that are as far from one another.
struct Operand {
  Numbers numbers;
  BlasMatrix matrix;

  Operand(MemoryPool& pool, Element element, int64_t count, int64_t rows, int64_t cols, int64_t gap, int64_t offset)
      : numbers(pool, element, count * (rows * (cols + gap) + gap), offset),
        matrix{numbers.data(), element, rows, cols, cols + gap, rows * (cols + gap) + gap} {}

  int64_t at(int64_t i, int64_t row, int64_t col) const { return i * matrix.stride + row * matrix.leading + col; }
};

// D as it must be, with what lies between its rows untouched. Exact: all sums are whole numbers below 2^8, which bf16 has.
std::vector<float> expected(const BlasProduct& p, const Operand& d, const Operand& c, const Operand& a, const Operand& b) {
  std::vector<float> result = d.numbers.values();
  const int64_t k = p.transposeA ? p.a.rows : p.a.cols;
  for (int64_t i = 0; i < p.count; i++)
    for (int64_t row = 0; row < p.d.rows; row++)
      for (int64_t col = 0; col < p.d.cols; col++) {
        float sum = 0;
        for (int64_t l = 0; l < k; l++)
          sum += a.numbers.values()[p.transposeA ? a.at(i, l, row) : a.at(i, row, l)] *
                 b.numbers.values()[p.transposeB ? b.at(i, col, l) : b.at(i, l, col)];
        result[d.at(i, row, col)] = p.alpha * sum + p.beta * c.numbers.values()[c.at(i, row, col)];
      }
  return result;
}

constexpr int64_t m = 5, n = 6, k = 7;  // k·4·4 and twice a summand stay below 2^8

}  // namespace

TEST("cuBLASLt: gaps, poor alignment, every type and orientation") {
  Device device;
  CHECK_EQ(BlasLt::problem(), "");
  CHECK(device.blas.version().starts_with("cuBLASLt 1"));
  for (const auto& [in, out, tf32] : {std::tuple{Element::fp32, Element::fp32, false},
                                      {Element::fp32, Element::fp32, true},
                                      {Element::bf16, Element::bf16, false},
                                      {Element::bf16, Element::fp32, false}})
    for (const int64_t count : {1, 3})
      for (const int64_t gap : {0, 1, 3})
        for (const int64_t offset : {0, 1})
          for (const int transposed : {0, 1, 2, 3})
            for (const int64_t inner : {k, int64_t{0}}) {
              const bool ta = transposed & 1, tb = transposed & 2;
              const Operand a(device.pool, in, count, ta ? inner : m, ta ? m : inner, gap, offset);
              const Operand b(device.pool, in, count, tb ? n : inner, tb ? inner : n, gap, offset);
              const Operand c(device.pool, out, count, m, n, gap, offset), d(device.pool, out, count, m, n, gap + 1, offset);
              const BlasProduct p{d.matrix, c.matrix, a.matrix, b.matrix, ta, tb, count, 1, -2, tf32};
              device.blas.matmul(p);
              check(cudaStreamSynchronize(device.stream.handle), "waiting");
              CHECK(d.numbers.read() == expected(p, d, c, a, b));
            }
}

TEST("cuBLASLt: types and rows that do not fit are refused") {
  Device device;
  const auto matrix = [&](Element element, int64_t leading = 4) { return BlasMatrix{nullptr, element, 4, 4, leading, 16}; };
  const auto product = [&](BlasMatrix d, BlasMatrix c, BlasMatrix a, BlasMatrix b, bool tf32) {
    device.blas.matmul({d, c, a, b, false, false, 1, 1, 1, tf32});
  };
  const BlasMatrix wide = matrix(Element::fp32), narrow = matrix(Element::bf16);
  CHECK_THROWS(product(narrow, narrow, wide, wide, false), "received A fp32, B fp32, C bf16, D bf16");
  CHECK_THROWS(product(wide, narrow, wide, wide, false), "received A fp32, B fp32, C bf16, D fp32");
  CHECK_THROWS(product(wide, wide, wide, narrow, false), "expected A and B of one type");
  CHECK_THROWS(product(wide, wide, narrow, narrow, true), "received A bf16, B bf16, C fp32, D fp32, tf32");
  CHECK_THROWS(product(wide, wide, matrix(Element::fp32, 3), wide, false), "received one every 3 elements");
  CHECK_THROWS(product(wide, wide, wide, wide, false),
               "multiplying [4, 4] = [4, 4]·[4, 4] from fp32 to fp32: cuBLASLt answered ");
}

TEST("cuBLASLt: what is recorded is done by the graph, and an algorithm may be chosen while recording") {
  Device device;
  Operand a(device.pool, Element::bf16, 1, m, k, 0, 0), b(device.pool, Element::bf16, 1, k, n, 0, 0);
  Operand d(device.pool, Element::bf16, 1, m, n, 0, 0);
  const BlasProduct p{d.matrix, d.matrix, a.matrix, b.matrix, false, false, 1, 1, 0, false};
  check(cudaStreamBeginCapture(device.stream.handle, cudaStreamCaptureModeThreadLocal), "recording");
  device.blas.matmul(p);
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(device.stream.handle, &graph), "recording");
  CHECK(d.numbers.read() == d.numbers.values());
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph, 0), "making a graph");
  check(cudaGraphDestroy(graph), "letting a graph go");
  for (const float value : {1.0f, 2.0f}) {
    a.numbers.fill(value);
    check(cudaGraphLaunch(executable, device.stream.handle), "launching a graph");
    check(cudaStreamSynchronize(device.stream.handle), "waiting");
    CHECK(d.numbers.read() == expected(p, d, d, a, b));
  }
  check(cudaGraphExecDestroy(executable), "letting a graph go");
}

TEST("cuBLASLt: the stand-in refuses memory of a device that is not the stream's") {
  const muonscope::test::EmulatedSettings settings;
  cudaShim::settings().devices = 2;
  Device device;
  check(cudaSetDevice(1), "choosing a device");
  OwnedStream other;
  other.device = 1;
  MemoryPool pool(other);
  const auto operand = [](MemoryPool& from, int64_t rows, int64_t cols) {
    return Operand(from, Element::fp32, 1, rows, cols, 0, 0);
  };
  for (const int foreign : {0, 1, 2, 3, 4}) {  // 0: none
    const Operand a = operand(foreign == 1 ? pool : device.pool, m, k), b = operand(foreign == 2 ? pool : device.pool, k, n);
    const Operand c = operand(foreign == 3 ? pool : device.pool, m, n), d = operand(foreign == 4 ? pool : device.pool, m, n);
    const BlasProduct p{d.matrix, c.matrix, a.matrix, b.matrix, false, false, 1, 1, 1, false};
    if (foreign)
      CHECK_THROWS(device.blas.matmul(p), "cuBLASLt answered ");
    else
      device.blas.matmul(p);
  }
  check(cudaStreamSynchronize(device.stream.handle), "waiting");
}
