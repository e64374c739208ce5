// Products of the CUDA backend against a double-precision reference: every transposition, odd sizes, batches, summands, and
// what is recorded instead of done.
#include <algorithm>
#include <cmath>

#include "test/emulated_cuda.h"
#include "test/numeric.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

using Values = std::vector<float>;

// Numbers in the backend's memory: fp32, or of its compute type, whose rounding read() shows.
template <bool compute>
class Buffer {
 public:
  Buffer(Backend& backend, const Values& values) : backend_(backend), n_(int64_t(values.size())) {
    data_ = backend_.allocate(n_);
    write(values);
  }
  ~Buffer() { backend_.release(data_); }
  Buffer(const Buffer&) = delete;

  void write(const Values& values) {
    if (!compute) return backend_.upload(data_, values.data(), n_);
    float* wide = backend_.allocate(n_);
    backend_.upload(wide, values.data(), n_);
    backend_.toCompute({data_, 1, n_}, {wide, 1, n_});
    backend_.release(wide);
  }

  Values read() const {
    Values values(n_);
    if (!compute) {
      backend_.download(values.data(), data_, n_);
      return values;
    }
    float* wide = backend_.allocate(n_);
    backend_.fromCompute({wide, 1, 1, n_, n_}, {data_, 1, 1, n_});
    backend_.download(values.data(), wide, n_);
    backend_.release(wide);
    return values;
  }

  float* data() const { return data_; }

 private:
  Backend& backend_;
  int64_t n_;
  float* data_;
};

using Wide = Buffer<false>;
using Compute = Buffer<true>;

struct Sizes {
  int64_t m, n, k;
};

// What a product is, and the sum of the magnitudes of its summands, which errors are measured by.
struct Reference {
  std::vector<double> value, magnitude;
  int64_t k;

  Reference(const Values& a, bool transposeA, const Values& b, bool transposeB, Sizes s, int64_t aAt = 0, int64_t bAt = 0)
      : value(s.m * s.n), magnitude(s.m * s.n), k(s.k) {
    for (int64_t i = 0; i < s.m; i++)
      for (int64_t j = 0; j < s.n; j++)
        for (int64_t l = 0; l < s.k; l++) {
          const double x =
              double(a[aAt + (transposeA ? l * s.m + i : i * s.k + l)]) * b[bAt + (transposeB ? j * s.k + l : l * s.n + j)];
          value[i * s.n + j] += x;
          magnitude[i * s.n + j] += std::abs(x);
        }
  }

  Reference scaledAndAdded(double alpha, double beta, const Values& c) const {
    Reference r = *this;
    for (size_t i = 0; i < value.size(); i++) {
      r.value[i] = alpha * value[i] + beta * c[i];
      r.magnitude[i] = std::abs(alpha) * magnitude[i] + std::abs(beta * c[i]);
    }
    return r;
  }

  // The largest error as a part of what it may be. In fp32, a sum of k products in any order is off by at most k·2^-24 of the
  // magnitudes (Higham 2002, section 3.1), and alpha, beta and the sum round three times more; tf32 rounds each of two
  // factors by 2^-11, and bf16, which keeps eight bits, the result by 2^-8.
  double error(const Values& result, const std::string& precision, bool computeResult, int64_t at = 0) const {
    const double sum = std::ldexp(double(k + 3), -24) + (precision == "tf32" ? std::ldexp(1, -10) : 0);
    const double end = precision == "bf16" && computeResult ? std::ldexp(1, -8) : 0;
    constexpr double secondOrder = 1.01;  // errors of errors: less than 2^-8 of them, and 400·2^-24
    double largest = 0;
    for (size_t i = 0; i < value.size(); i++) {
      const double off = std::abs(result[at + i] - value[i]);
      if (std::isnan(off)) return INFINITY;
      largest = std::max(largest, off / (secondOrder * (sum * magnitude[i] + end * std::abs(value[i]))));
    }
    return largest;
  }
};

constexpr const char* precisions[] = {"fp32", "tf32", "bf16"};
const Sizes everySize[] = {{1, 1, 1}, {5, 3, 7}, {64, 32, 16}, {33, 70, 90}, {7, 1, 400}, {1, 130, 65}};

template <class Body>
void inEveryOrientation(const Body& body) {
  for (const Sizes& s : everySize)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) body(s, ta, tb);
}

ComputeMatrix left(const Compute& a, bool transposed, Sizes s) {
  return {a.data(), transposed ? s.k : s.m, transposed ? s.m : s.k};
}
ComputeMatrix right(const Compute& b, bool transposed, Sizes s) {
  return {b.data(), transposed ? s.n : s.k, transposed ? s.k : s.n};
}

}  // namespace

TEST("CUDA products: results in fp32, in every orientation, with a factor and a summand") {
  for (const char* precision : precisions) {
    const auto backend = makeEmulatedCudaBackend(precision);
    inEveryOrientation([&](Sizes s, bool ta, bool tb) {
      const Compute a(*backend, randomFloats(s.m * s.k, "a")), b(*backend, randomFloats(s.k * s.n, "b"));
      const Values before = randomFloats(s.m * s.n, "c");
      const Wide c(*backend, before);
      const auto expected = Reference(a.read(), ta, b.read(), tb, s).scaledAndAdded(0.5, -2, before);
      backend->matmul({c.data(), s.m, s.n}, left(a, ta, s), ta, right(b, tb, s), tb, 0.5f, -2.0f);
      CHECK_LE(expected.error(c.read(), precision, false), 1);
    });
  }
}

TEST("CUDA products: results in the compute type, alone and added to another matrix") {
  for (const char* precision : precisions) {
    const auto backend = makeEmulatedCudaBackend(precision);
    inEveryOrientation([&](Sizes s, bool ta, bool tb) {
      const Compute a(*backend, randomFloats(s.m * s.k, "a")), b(*backend, randomFloats(s.k * s.n, "b"));
      const Compute c(*backend, randomFloats(s.m * s.n, "c")), d(*backend, Values(s.m * s.n, NAN));
      const Reference expected(a.read(), ta, b.read(), tb, s);
      backend->matmul(ComputeMatrix{d.data(), s.m, s.n}, left(a, ta, s), ta, right(b, tb, s), tb);
      CHECK_LE(expected.error(d.read(), precision, true), 1);
      const Values summand = c.read();
      backend->matmulAdd({d.data(), s.m, s.n}, {c.data(), s.m, s.n}, left(a, ta, s), ta, right(b, tb, s), tb);
      CHECK_LE(expected.scaledAndAdded(1, 1, summand).error(d.read(), precision, true), 1);
      CHECK(c.read() == summand);
    });
  }
}

TEST("CUDA products: tf32 is not fp32") {
  const Sizes s{32, 32, 32};
  const auto backend = makeEmulatedCudaBackend("tf32");
  const Compute a(*backend, randomFloats(s.m * s.k, "a")), b(*backend, randomFloats(s.k * s.n, "b"));
  const Wide c(*backend, Values(s.m * s.n));
  backend->matmul({c.data(), s.m, s.n}, left(a, false, s), false, right(b, false, s), false, 1, 0);
  // Ten bits of mantissa are rounded by 2^-12.5 or so on average; a tenth of that is far above what fp32 does.
  CHECK_LE(std::ldexp(0.1, -12), relativeError(c.read(), Reference(a.read(), false, b.read(), false, s).value));
}

TEST("CUDA products: batches of every length, and none") {
  for (const char* precision : precisions) {
    const auto backend = makeEmulatedCudaBackend(precision);
    for (const int64_t count : {0, 1, 2, 5})
      for (const Sizes& s : everySize) {
        const Compute a(*backend, randomFloats(count * s.m * s.k, "a")), b(*backend, randomFloats(count * s.k * s.n, "b"));
        const Compute c(*backend, Values(count * s.m * s.n, NAN));
        backend->multiply({c.data(), count, s.m, s.n}, {a.data(), count, s.m, s.k}, {b.data(), count, s.k, s.n});
        const Values left = a.read(), right = b.read(), result = c.read();
        for (int64_t i = 0; i < count; i++) {
          const Reference expected(left, false, right, false, s, i * s.m * s.k, i * s.k * s.n);
          CHECK_LE(expected.error(result, precision, true, i * s.m * s.n), 1);
        }
      }
  }
}

TEST("CUDA products: beta zero overwrites what is not a number; without an inner size, the summand is left") {
  for (const char* precision : precisions) {
    const auto backend = makeEmulatedCudaBackend(precision);
    const Compute a(*backend, {1, 2, 3, 4});
    Wide c(*backend, Values(4, NAN));
    const Matrix result{c.data(), 2, 2};
    backend->matmul(result, {a.data(), 2, 2}, false, {a.data(), 2, 2}, false, 1, 0);
    CHECK(c.read() == (Values{7, 10, 15, 22}));
    backend->matmul(result, {a.data(), 2, 0}, false, {a.data(), 0, 2}, false, 1, -2);
    CHECK(c.read() == (Values{-14, -20, -30, -44}));
    c.write(Values(4, NAN));
    backend->matmul(result, {a.data(), 0, 2}, true, {a.data(), 2, 0}, true, 1, 0);
    CHECK(c.read() == Values(4, 0));
    const Compute d(*backend, Values(4, NAN));
    backend->matmulAdd({d.data(), 2, 2}, {a.data(), 2, 2}, {a.data(), 2, 0}, false, {a.data(), 0, 2}, false);
    CHECK(d.read() == (Values{1, 2, 3, 4}));
    backend->matmul({c.data(), 0, 2}, {a.data(), 0, 2}, false, {a.data(), 2, 2}, false, 1, 0);
    CHECK(c.read() == Values(4, 0));
  }
}

TEST("CUDA products: prepared ones are done when they are launched, with what is there then") {
  for (const char* precision : precisions) {
    const auto backend = makeEmulatedCudaBackend(precision);
    Compute a(*backend, {1, 2, 3, 4});
    const Wide c(*backend, Values(4, 0));
    const auto square = [&] {
      backend->matmul({c.data(), 2, 2}, {a.data(), 2, 2}, false, {a.data(), 2, 2}, false, 1, 1);
      backend->matmul({c.data(), 2, 2}, {a.data(), 2, 0}, false, {a.data(), 0, 2}, false, 1, 0.5f);
    };
    square();
    CHECK(c.read() == (Values{3.5f, 5, 7.5f, 11}));
    backend->prepare(square);
    CHECK(c.read() == (Values{3.5f, 5, 7.5f, 11}));
    a.write({0, 1, 1, 0});
    backend->launch();
    CHECK(c.read() == (Values{2.25f, 2.5f, 3.75f, 6}));
  }
}

TEST("CUDA products: shapes that do not fit are refused") {
  const auto backend = makeEmulatedCudaBackend("bf16");
  const Compute x(*backend, Values(64));
  const auto matrix = [&](int64_t rows, int64_t cols) { return ComputeMatrix{x.data(), rows, cols}; };
  const auto batch = [&](int64_t count, int64_t rows, int64_t cols) { return ComputeBatch{x.data(), count, rows, cols}; };
  CHECK_THROWS(backend->matmul(matrix(2, 3), matrix(2, 4), false, matrix(3, 4), false),
               "matmul: expected shapes that fit, received [2, 3] = [2, 4]·[3, 4]");
  CHECK_THROWS(backend->matmul({x.data(), 2, 3}, matrix(4, 2), true, matrix(4, 3), true, 1, 0), "[4, 2]ᵀ·[4, 3]ᵀ");
  CHECK_THROWS(backend->matmulAdd(matrix(2, 3), matrix(3, 2), matrix(2, 4), false, matrix(4, 3), false),
               "matmulAdd: expected a summand of the result's shape [2, 3], received [3, 2]");
  CHECK_THROWS(backend->multiply(batch(2, 2, 2), batch(1, 2, 2), batch(2, 2, 2)), "multiply: expected batches of one length");
  CHECK_THROWS(backend->multiply(batch(2, 2, 2), batch(2, 2, 3), batch(2, 2, 2)), "[2, 2] = [2, 3]·[2, 2]");
}
