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
    const auto backend = makeCpuBackend(threads);
    for (const auto& [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {5, 3, 7}, {130, 70, 65}, {33, 200, 90}, {7, 1, 400}})
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          auto a = randomFloats(m * k, "a"), b = randomFloats(k * n, "b"), c = randomFloats(m * n, "c");
          auto expected = product(a, ta, b, tb, m, n, k);
          for (int64_t i = 0; i < m * n; i++) expected[i] = 0.5 * expected[i] - 2.0 * c[i];
          const Matrix am{a.data(), ta ? k : m, ta ? m : k}, bm{b.data(), tb ? n : k, tb ? k : n};
          backend->matmul({c.data(), m, n}, am, ta, bm, tb, 0.5f, -2.0f);
          CHECK_LE(relativeError(c, expected), kTolerance);
        }
  }
}

TEST("products: beta zero overwrites what is not a number") {
  const auto backend = makeCpuBackend(2);
  std::vector<float> a = {1, 2, 3, 4}, c(4, NAN);
  backend->matmul({c.data(), 2, 2}, {a.data(), 2, 2}, false, {a.data(), 2, 2}, false, 1, 0);
  CHECK(c == (std::vector<float>{7, 10, 15, 22}));
  std::fill(c.begin(), c.end(), NAN);
  backend->gramBatch({c.data(), 1, 2, 2, 4}, {a.data(), 1, 2, 2, 4}, Side::rows, 1, 0);
  CHECK(c == (std::vector<float>{5, 11, 11, 25}));
}

TEST("products: batches of every length, side by side and split") {
  for (const int threads : {1, 2, 4}) {
    const auto backend = makeCpuBackend(threads);
    for (const int64_t count : {1, 2, 3, 5, 9})
      for (const int64_t size : {6, 90}) {
        const int64_t m = size, k = size + 3, n = size - 1, stride = size * size + 500;
        auto a = randomFloats(count * stride, "a"), b = randomFloats(count * stride, "b");
        std::vector<float> c(count * stride, 5);
        backend->matmulBatch({c.data(), count, m, n, stride}, {a.data(), count, m, k, stride}, false, {b.data(), count, k, n, stride},
                             false, 1, 0);
        for (int64_t i = 0; i < count; i++) {
          const auto part = [&](const std::vector<float>& x, int64_t floats) {
            return std::vector<float>(x.begin() + i * stride, x.begin() + i * stride + floats);
          };
          CHECK_LE(relativeError(part(c, m * n), product(part(a, m * k), false, part(b, k * n), false, m, n, k)), kTolerance);
          CHECK_EQ(c[i * stride + m * n], 5.0f);  // nothing written between the matrices
        }
      }
  }
}

TEST("products: Gram matrices of rows and columns, both triangles, exactly symmetric") {
  for (const int threads : {1, 2, 5}) {
    const auto backend = makeCpuBackend(threads);
    for (const int64_t count : {1, 2, 3, 7})
      for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 5}, {1, 9}, {150, 80}, {70, 200}})
        for (const Side side : {Side::rows, Side::columns}) {
          const int64_t size = side == Side::rows ? m : n, depth = side == Side::rows ? n : m;
          auto a = randomFloats(count * m * n, "a");
          std::vector<float> c(count * size * size);
          for (int64_t i = 0; i < count; i++)  // symmetric, as beta·C requires
            for (int64_t r = 0; r < size; r++)
              for (int64_t s = 0; s < size; s++) c[(i * size + r) * size + s] = static_cast<float>((r + 1) * (s + 1) % 7);
          const auto before = c;
          backend->gramBatch({c.data(), count, size, size, size * size}, {a.data(), count, m, n, m * n}, side, 0.5f, 2.0f);
          for (int64_t i = 0; i < count; i++) {
            const std::vector<float> one(a.begin() + i * m * n, a.begin() + (i + 1) * m * n);
            auto expected = product(one, side == Side::columns, one, side == Side::rows, size, size, depth);
            std::vector<float> got(c.begin() + i * size * size, c.begin() + (i + 1) * size * size);
            for (int64_t j = 0; j < size * size; j++) expected[j] = 0.5 * expected[j] + 2.0 * before[i * size * size + j];
            CHECK_LE(relativeError(got, expected), kTolerance);
            for (int64_t r = 0; r < size; r++)
              for (int64_t s = 0; s < r; s++) CHECK_EQ(got[r * size + s], got[s * size + r]);
          }
        }
  }
}

TEST("products: shapes that do not fit are refused with a reason") {
  const auto backend = makeCpuBackend(1);
  std::vector<float> x(100);
  const auto m = [&](int64_t rows, int64_t cols) { return Matrix{x.data(), rows, cols}; };
  CHECK_THROWS(backend->matmul(m(2, 3), m(2, 4), false, m(5, 3), false, 1, 0), "[2, 3] = [2, 4]·[5, 3]");
  CHECK_THROWS(backend->matmul(m(2, 3), m(2, 4), true, m(4, 3), false, 1, 0), "[2, 4]ᵀ");
  CHECK_THROWS(backend->gramBatch({x.data(), 1, 3, 3, 9}, {x.data(), 1, 2, 3, 6}, Side::rows, 1, 0), "expected a result [2, 2]");
  CHECK_THROWS(backend->matmulBatch({x.data(), 2, 2, 2, 4}, {x.data(), 3, 2, 2, 4}, false, {x.data(), 2, 2, 2, 4}, false, 1, 0),
               "2 results for 3 matrices");
}
