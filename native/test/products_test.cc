// Products against a double-precision reference: every transposition, odd sizes, sizes that are split over threads.
#include "backend/backend.h"
#include "test/numeric.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

constexpr double kTolerance = 1e-6;  // relative, Frobenius: fp32's 6e-8 per operation grows with the root of the inner size

std::vector<double> product(const std::vector<float>& a, bool transposeA, const std::vector<float>& b, bool transposeB, int64_t m,
                            int64_t n, int64_t k) {
  std::vector<double> c(m * n, 0.0);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t l = 0; l < k; l++)
        c[i * n + j] += double(a[transposeA ? l * m + i : i * k + l]) * b[transposeB ? j * k + l : l * n + j];
  return c;
}

}  // namespace

TEST("products: matmul in every orientation, small, odd and split over threads") {
  for (const int threads : {1, 2, 3, 6}) {
    const auto backend = makeCpuBackend({threads});
    for (const auto& [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {5, 3, 7}, {130, 70, 65}, {33, 200, 90}, {7, 1, 400}})
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          auto a = randomFloats(m * k, "a"), b = randomFloats(k * n, "b"), c = randomFloats(m * n, "c");
          auto expected = product(a, ta, b, tb, m, n, k);
          for (int64_t i = 0; i < m * n; i++) expected[i] = 0.5 * expected[i] - 2.0 * c[i];
          const ComputeMatrix am{a.data(), ta ? k : m, ta ? m : k}, bm{b.data(), tb ? n : k, tb ? k : n};
          backend->matmul(Matrix{c.data(), m, n}, am, ta, bm, tb, 0.5f, -2.0f);
          CHECK_LE(relativeError(c, expected), kTolerance);
        }
  }
}

TEST("products: beta zero overwrites what is not a number") {
  const auto backend = makeCpuBackend({2});
  std::vector<float> a = {1, 2, 3, 4}, c(4, NAN);
  backend->matmul(Matrix{c.data(), 2, 2}, {a.data(), 2, 2}, false, {a.data(), 2, 2}, false, 1, 0);
  CHECK(c == (std::vector<float>{7, 10, 15, 22}));
  std::fill(c.begin(), c.end(), NAN);
  backend->gram({c.data(), 1, 2, 2}, {a.data(), 1, 2, 2}, Side::rows);
  CHECK(c == (std::vector<float>{5, 11, 11, 25}));
}

TEST("products: sums go into a matrix of their own") {
  const auto backend = makeCpuBackend({2});
  const int64_t m = 37, n = 21, k = 50;
  auto a = randomFloats(m * k, "a"), b = randomFloats(n * k, "b"), c = randomFloats(m * n, "c");
  const auto before = c;
  std::vector<float> d(m * n, NAN);
  backend->matmulAdd({d.data(), m, n}, {c.data(), m, n}, {a.data(), m, k}, false, {b.data(), n, k}, true);
  auto expected = product(a, false, b, true, m, n, k);
  for (int64_t i = 0; i < m * n; i++) expected[i] += c[i];
  CHECK_LE(relativeError(d, expected), kTolerance);
  CHECK(c == before);
}

TEST("products: batches of every length, side by side and split") {
  for (const int threads : {1, 2, 4}) {
    const auto backend = makeCpuBackend({threads});
    for (const int64_t count : {1, 2, 3, 5, 9})
      for (const int64_t size : {6, 90}) {
        const int64_t m = size, k = size + 3, n = size - 1;
        auto a = randomFloats(count * m * k, "a"), b = randomFloats(count * k * n, "b");
        std::vector<float> c(count * m * n + 1, 5);
        backend->multiply({c.data(), count, m, n}, {a.data(), count, m, k}, {b.data(), count, k, n});
        for (int64_t i = 0; i < count; i++) {
          const auto part = [&](const std::vector<float>& x, int64_t floats) {
            return std::vector<float>(x.begin() + i * floats, x.begin() + (i + 1) * floats);
          };
          CHECK_LE(relativeError(part(c, m * n), product(part(a, m * k), false, part(b, k * n), false, m, n, k)), kTolerance);
        }
        CHECK_EQ(c.back(), 5.0f);  // nothing written beyond them
      }
  }
}

TEST("products: Gram matrices of rows and columns, both triangles, exactly symmetric") {
  for (const int threads : {1, 2, 5}) {
    const auto backend = makeCpuBackend({threads});
    for (const int64_t count : {1, 2, 3, 7})
      for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 5}, {1, 9}, {150, 80}, {70, 200}})
        for (const Side side : {Side::rows, Side::columns}) {
          const int64_t size = side == Side::rows ? m : n, depth = side == Side::rows ? n : m;
          auto a = randomFloats(count * m * n, "a");
          std::vector<float> c(count * size * size, NAN);
          backend->gram({c.data(), count, size, size}, {a.data(), count, m, n}, side);
          for (int64_t i = 0; i < count; i++) {
            const std::vector<float> one(a.begin() + i * m * n, a.begin() + (i + 1) * m * n);
            auto expected = product(one, side == Side::columns, one, side == Side::rows, size, size, depth);
            std::vector<float> got(c.begin() + i * size * size, c.begin() + (i + 1) * size * size);
            CHECK_LE(relativeError(got, expected), kTolerance);
            for (int64_t r = 0; r < size; r++)
              for (int64_t s = 0; s < r; s++) CHECK_EQ(got[r * size + s], got[s * size + r]);
          }
        }
  }
}

TEST("products: shapes that do not fit are refused with a reason") {
  const auto backend = makeCpuBackend({1});
  std::vector<float> x(100);
  const auto m = [&](int64_t rows, int64_t cols) { return Matrix{x.data(), rows, cols}; };
  const auto cm = [&](int64_t rows, int64_t cols) { return ComputeMatrix{x.data(), rows, cols}; };
  CHECK_THROWS(backend->matmul(m(2, 3), cm(2, 4), false, cm(5, 3), false, 1, 0), "[2, 3] = [2, 4]·[5, 3]");
  CHECK_THROWS(backend->matmul(m(2, 3), cm(2, 4), true, cm(4, 3), false, 1, 0), "[2, 4]ᵀ");
  CHECK_THROWS(backend->gram({x.data(), 1, 3, 3}, {x.data(), 1, 2, 3}, Side::rows), "expected a result [2, 2]");
  CHECK_THROWS(backend->multiply({x.data(), 2, 2, 2}, {x.data(), 3, 2, 2}, {x.data(), 2, 2, 2}), "2 results for 3 and 2 matrices");
  CHECK_THROWS(backend->matmulAdd({x.data(), 2, 3}, {x.data(), 3, 2}, {x.data(), 2, 4}, false, {x.data(), 4, 3}, false),
               "a summand of the result's shape [2, 3], received [3, 2]");
}
