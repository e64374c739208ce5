// The arithmetic of the fake cuBLASLt: inputs exactly as they are in memory or rounded to tf32, sums in fp32 by BLAS, results
// rounded to nearest even.
#include <bit>
#include <vector>

#include "backend/cpu/blas.h"
#include "test/fake_cublaslt/problem.h"

namespace fakeCublasLt {
namespace {

float widen(uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); }

// To nearest, ties to even: without the lowest `bits` bits of the mantissa.
uint32_t roundBits(float x, int bits) {
  const uint32_t raw = std::bit_cast<uint32_t>(x);
  if ((raw & 0x7fffffff) > 0x7f800000) return raw | 0x400000;  // not a number: stays one
  return raw + ((1u << (bits - 1)) - 1 + ((raw >> bits) & 1));
}

uint16_t narrow(float x) { return static_cast<uint16_t>(roundBits(x, 16) >> 16); }
float toTf32(float x) { return std::bit_cast<float>(roundBits(x, 13) & ~0x1fffu); }

// A matrix as BLAS takes it: where it lies, or a copy.
struct Input {
  const float* data;
  int leading;
  std::vector<float> copy;

  Input(const void* matrix, int64_t offset, const Layout& layout, bool tf32) {
    const auto* floats = static_cast<const float*>(matrix) + offset;
    const auto* halves = static_cast<const uint16_t*>(matrix) + offset;
    const bool fp32 = layout.type == DataType::fp32;
    if (fp32 && !tf32) {
      data = floats, leading = static_cast<int>(layout.leading);
      return;
    }
    copy.resize(layout.rows * layout.cols);
    for (uint64_t col = 0; col < layout.cols; col++)
      for (uint64_t row = 0; row < layout.rows; row++) {
        const uint64_t at = col * static_cast<uint64_t>(layout.leading) + row;
        copy[col * layout.rows + row] = fp32 ? toTf32(floats[at]) : widen(halves[at]);
      }
    data = copy.data(), leading = static_cast<int>(layout.rows);
  }
};

void multiplyOne(const Problem& p, const Operands& x, int64_t i) {
  const bool tf32 = p.description.compute == ComputeType::fastTf32;
  const Input a(x.a, i * p.a.stride, p.a, tf32), b(x.b, i * p.b.stride, p.b, tf32);
  std::vector<float> product(p.d.rows * p.d.cols);
  const auto operation = [](Operation op) { return op == Operation::none ? CblasNoTrans : CblasTrans; };
  cblas_sgemm(CblasColMajor, operation(p.description.a), operation(p.description.b), static_cast<int>(p.m()),
              static_cast<int>(p.n()), static_cast<int>(p.k()), x.alpha, a.data, a.leading, b.data, b.leading, 0, product.data(),
              static_cast<int>(p.m()));
  const bool fp32 = p.d.type == DataType::fp32;
  for (int64_t col = 0; col < p.n(); col++)
    for (int64_t row = 0; row < p.m(); row++) {
      float value = product[static_cast<size_t>(col * p.m() + row)];
      if (x.beta != 0) {
        const int64_t at = i * p.c.stride + col * p.c.leading + row;
        value += x.beta * (fp32 ? static_cast<const float*>(x.c)[at] : widen(static_cast<const uint16_t*>(x.c)[at]));
      }
      const int64_t at = i * p.d.stride + col * p.d.leading + row;
      if (fp32)
        static_cast<float*>(x.d)[at] = value;
      else
        static_cast<uint16_t*>(x.d)[at] = narrow(value);
    }
}

}  // namespace

void multiply(const Problem& p, const Operands& x) {
  for (int64_t i = 0; i < p.d.count; i++) multiplyOne(p, x, i);
}

}  // namespace fakeCublasLt
