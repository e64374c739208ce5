// The CPU backend's element-wise passes and statistics against plain loops, at sizes that end within a vector, a block
// and a thread's part.
#include "backend/backend.h"

#include <limits>

#include "test/numeric.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 1}, {1, 70001}, {70001, 1}, {37, 41}, {300, 515}};

DeviceBuffer onDevice(Backend& backend, const std::vector<float>& x) {
  DeviceBuffer buffer(backend, static_cast<int64_t>(x.size()));
  backend.upload(buffer.data(), x.data(), buffer.size());
  return buffer;
}

TEST("statistics: sums and means are right and do not depend on the number of threads") {
  for (const auto& [rows, cols] : shapes) {
    const std::vector<float> x = unevenMatrix(rows, cols, "statistics");
    double total = 0;
    std::vector<double> byRow(static_cast<size_t>(rows)), byColumn(static_cast<size_t>(cols));
    for (size_t i = 0; i < x.size(); ++i) {
      const double square = double(x[i]) * x[i];
      total += square;
      byRow[i / static_cast<size_t>(cols)] += square / double(cols);
      byColumn[i % static_cast<size_t>(cols)] += square / double(rows);
    }
    std::vector<std::vector<float>> results;
    std::vector<double> totals;
    for (const int threads : {1, 2, 3}) {
      const auto backend = makeCpuBackend({threads});
      const DeviceBuffer device = onDevice(*backend, x);
      DeviceBuffer rowMeans(*backend, rows), columnMeans(*backend, cols);
      const Batch batch = {device.data(), 1, rows, cols, rows * cols};
      double squares = 0, ofList = 0;
      backend->sumSquares(&squares, batch);
      backend->sumSquares(&ofList, std::vector<Matrix>{batch[0]});
      CHECK_EQ(ofList, squares);
      totals.push_back(squares);
      backend->rowMeanSquare(rowMeans.data(), batch);
      backend->columnMeanSquare(columnMeans.data(), batch);
      CHECK_LE(std::abs(totals.back() / total - 1), 1e-12);
      CHECK_LE(relativeError(rowMeans.download(), byRow), 1e-7);
      CHECK_LE(relativeError(columnMeans.download(), byColumn), 1e-7);
      results.push_back(rowMeans.download());
      results.push_back(columnMeans.download());
      CHECK_EQ(totals.back(), totals.front());
      CHECK(results.end()[-2] == results[0] && results.end()[-1] == results[1]);
    }
  }
}

TEST("statistics: division by roots of rows, columns and elements") {
  const auto backend = makeCpuBackend({2});
  for (const auto& [rows, cols] : shapes) {
    const std::vector<float> x = randomFloats(rows * cols, "divide");
    std::vector<float> moments = randomFloats(rows * cols, "divide.moments");
    for (float& value : moments) value *= value;
    const DeviceBuffer device = onDevice(*backend, x), s = onDevice(*backend, moments);
    const float eps = 0.01f;
    const auto compare = [&](const std::vector<float>& result, const std::vector<float>& roots, const auto& index) {
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = x[i] / (std::sqrt(double(roots[index(i)])) + eps);
        CHECK_LE(std::abs(result[i] - expected), 5e-7 * std::abs(expected));
      }
    };
    const auto byRow = [&](size_t i) { return i / static_cast<size_t>(cols); };
    const auto byColumn = [&](size_t i) { return i % static_cast<size_t>(cols); };

    const DeviceBuffer y = onDevice(*backend, x), v = onDevice(*backend, moments);
    const Batch batch = {y.data(), 1, rows, cols, rows * cols};
    backend->normalizeRows(batch, v.data(), 0.75f, eps, false);
    CHECK(y.download() == x);
    std::vector<float> roots = v.download();
    for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
      double mean = 0;
      for (size_t j = 0; j < static_cast<size_t>(cols); ++j) mean += double(x[i * cols + j]) * x[i * cols + j] / double(cols);
      CHECK_LE(std::abs(roots[i] - (0.25 * mean + 0.75 * moments[i])), 3e-7 * roots[i]);
    }
    backend->normalizeRows(batch, v.data(), 0.75f, eps, true);
    compare(y.download(), v.download(), byRow);

    backend->upload(y.data(), x.data(), y.size());
    backend->scaleColumns(batch, s.data(), eps);
    compare(y.download(), moments, byColumn);
    backend->divideByRoot(y.data(), device.data(), s.data(), eps, rows * cols);
    compare(y.download(), moments, [](size_t i) { return i; });
  }
}

TEST("statistics: factors of updates, scaled and applied") {
  const auto backend = makeCpuBackend({2});
  const std::vector<double> before = {4, 9, 0}, after = {16, 0, 4};
  std::vector<float> scale(3, NAN);
  backend->updateScale(scale.data(), before.data(), after.data(), 3, 3);
  CHECK(scale == (std::vector<float>{1.5f, 0, 0}));
  backend->updateScale(scale.data(), nullptr, after.data(), 3, 3);
  CHECK(scale == (std::vector<float>{0.75f, 0, 1.5f}));
  std::vector<double> sum = before;
  backend->addDoubles(sum.data(), after.data(), 3);
  CHECK(sum == (std::vector<double>{20, 9, 4}));

  std::vector<float> u = {1, 2, 3, 4, 5, 6}, y(2), w0 = {1, 1}, w1 = {2, 2}, w2 = {4, 4};
  backend->scaled(y.data(), u.data() + 4, 2, scale.data() + 2, 2);
  CHECK(y == (std::vector<float>{15, 18}));
  backend->decayAndUpdate({{w0.data(), w1.data(), w2.data()}, 1, 2}, {u.data(), 3, 1, 2, 2}, 0.25f, 2, scale.data());
  CHECK(w0 == (std::vector<float>{0.75f - 1.5f, 0.75f - 3}));
  CHECK(w1 == (std::vector<float>{1.5f, 1.5f}));
  CHECK(w2 == (std::vector<float>{3 - 15, 3 - 18}));
}

TEST("statistics: gradients are clipped by their common norm") {
  const auto backend = makeCpuBackend({2});
  std::vector<float> a = {3, 0}, b = {4};
  const std::vector<Matrix> gradients = {{a.data(), 1, 2}, {b.data(), 1, 1}};
  std::vector<double> squares(2);
  backend->sumSquares(squares.data(), gradients);
  CHECK(squares == (std::vector<double>{9, 16}));
  backend->clip(gradients, squares.data(), 2, 5);
  CHECK(a == (std::vector<float>{3, 0}) && b == (std::vector<float>{4}));
  backend->clip(gradients, squares.data(), 2, 0.5);
  CHECK_LE(std::abs(a[0] - 0.3), 1e-6);
  CHECK_LE(std::abs(b[0] - 0.4), 1e-6);
}

TEST("statistics: matrices are normalised to a norm, zero stays zero") {
  const auto backend = makeCpuBackend({2});
  std::vector<float> x = randomFloats(2 * 35, "normalize"), y(x.size(), NAN);
  std::fill(x.begin() + 35, x.end(), 0.f);
  backend->normalize(ComputeBatch{y.data(), 2, 5, 7}, Batch{x.data(), 2, 5, 7, 35}, 3, 1e-30);
  double squares[2];
  backend->sumSquares(squares, Batch{y.data(), 2, 5, 7, 35});
  CHECK_LE(std::abs(std::sqrt(squares[0]) - 3), 1e-6);
  CHECK_EQ(squares[1], 0.0);
  backend->normalize(Batch{x.data(), 2, 5, 7, 35}, Batch{x.data(), 2, 5, 7, 35}, 3, 1e-30);
  CHECK(x == y);
}

TEST("memory: what would be allocated is counted, and nothing is") {
  const auto backend = makeCpuBackend({1});
  const int64_t bytes = backend->countBytes([&] {
    const DeviceBuffer kept(*backend, int64_t{1} << 50);  // a petabyte and more
    { const DeviceBuffer first(*backend, 1000); }
    { const DeviceBuffer second(*backend, 500); }
  });
  CHECK_EQ(bytes, (int64_t{4} << 50) + 4096);
  CHECK(DeviceBuffer(*backend, 3).download() == std::vector<float>(3));
  CHECK(backend->freeBytes() > 0);
}

TEST("memory: what is left of a count that failed is no memory, and nothing is done to it") {
  const auto backend = makeCpuBackend({1});
  std::vector<DeviceBuffer> kept;
  const auto build = [&] {
    kept.emplace_back(*backend, 1000);
    throw std::runtime_error("enough");
  };
  CHECK_THROWS(backend->countBytes(build), "enough");
  CHECK_EQ(backend->countBytes([&] { kept.emplace_back(*backend, 1); }), 512);
  CHECK_EQ(backend->countBytes([&] { const DeviceBuffer other(*backend, 200); }), 1024);
  kept.clear();
  CHECK(DeviceBuffer(*backend, 3).download() == std::vector<float>(3));
}

TEST("time: prepared work is done once, when it is launched") {
  const auto backend = makeCpuBackend({1});
  int done = 0;
  CHECK_EQ(backend->between(Backend::Mark::optimizerBegin, Backend::Mark::optimizerEnd), 0.0);
  backend->prepare([&] { done += 100; });
  backend->prepare([&] { done++; });
  CHECK_EQ(done, 0);
  backend->mark(Backend::Mark::optimizerBegin);
  backend->launch();
  backend->mark(Backend::Mark::optimizerEnd);
  CHECK_EQ(done, 1);
  backend->launch();
  CHECK_EQ(done, 1);
  CHECK(backend->between(Backend::Mark::optimizerBegin, Backend::Mark::optimizerEnd) >= 0);
}

TEST("symmetric: products of commuting symmetric matrices, and polynomials") {
  const auto backend = makeCpuBackend({2});
  for (const int64_t n : {1, 5, 130, 300}) {
    // A symmetric S, and S·S as a Gram matrix.
    std::vector<float> s = randomFloats(n * n, "symmetric");
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j) s[static_cast<size_t>(j * n + i)] = s[static_cast<size_t>(i * n + j)];
    const DeviceBuffer device = onDevice(*backend, s);
    DeviceBuffer product(*backend, n * n), gram(*backend, n * n), polynomial(*backend, n * n);
    const auto batch = [&](const DeviceBuffer& x) { return ComputeBatch{x.data(), 1, n, n}; };
    backend->symmetric(batch(product), batch(device), batch(device));
    backend->gram(batch(gram), batch(device), Side::rows);
    const std::vector<float> result = product.download();
    CHECK_LE(relativeError(result, gram.download()), 1e-6);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j)
        CHECK_EQ(result[static_cast<size_t>(i * n + j)], result[static_cast<size_t>(j * n + i)]);
    backend->polynomial(batch(polynomial), batch(device), 3, -2, 0.5);
    std::vector<double> expected;
    const std::vector<float> square = gram.download();
    for (int64_t i = 0; i < n * n; ++i)
      expected.push_back((i % (n + 1) == 0 ? 3 : 0) - 2.0 * s[static_cast<size_t>(i)] + 0.5 * square[static_cast<size_t>(i)]);
    CHECK_LE(relativeError(polynomial.download(), expected), 1e-6);
    CHECK_THROWS(backend->symmetric(batch(product), batch(device), {device.data(), 1, n, n + 1}), "symmetric: expected");
  }
}

}  // namespace
}  // namespace muonscope::test
