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
      const auto backend = makeCpuBackend(threads);
      const DeviceBuffer device = onDevice(*backend, x);
      DeviceBuffer rowMeans(*backend, rows), columnMeans(*backend, cols);
      const Matrix matrix = {device.data(), rows, cols};
      totals.push_back(backend->sumSquares(device.data(), device.size()));
      backend->rowMeanSquare(rowMeans.data(), matrix);
      backend->columnMeanSquare(columnMeans.data(), matrix);
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
  const auto backend = makeCpuBackend(2);
  for (const auto& [rows, cols] : shapes) {
    const std::vector<float> x = randomFloats(rows * cols, "divide");
    std::vector<float> moments = randomFloats(rows * cols, "divide.moments");
    for (float& value : moments) value *= value;
    const DeviceBuffer device = onDevice(*backend, x), s = onDevice(*backend, moments);
    DeviceBuffer y(*backend, rows * cols);
    const float eps = 0.01f;
    const auto compare = [&](const auto& index) {
      const std::vector<float> result = y.download();
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = x[i] / (std::sqrt(double(moments[index(i)])) + eps);
        CHECK_LE(std::abs(result[i] - expected), 5e-7 * std::abs(expected));
      }
    };
    backend->scaleRows({y.data(), rows, cols}, {device.data(), rows, cols}, s.data(), eps);
    compare([&](size_t i) { return i / static_cast<size_t>(cols); });
    backend->scaleColumns({y.data(), rows, cols}, {device.data(), rows, cols}, s.data(), eps);
    compare([&](size_t i) { return i % static_cast<size_t>(cols); });
    backend->divideByRoot(y.data(), device.data(), s.data(), eps, rows * cols);
    compare([](size_t i) { return i; });
  }
}

TEST("statistics: one value that is not finite is found wherever it is") {
  const auto backend = makeCpuBackend(2);
  const int64_t n = 50003;
  for (const int64_t place : {int64_t{0}, int64_t{17}, int64_t{25001}, n - 1})
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
      std::vector<float> x = randomFloats(n, "finite");
      CHECK(backend->allFinite(onDevice(*backend, x).data(), n));
      x[static_cast<size_t>(place)] = value;
      CHECK(!backend->allFinite(onDevice(*backend, x).data(), n));
    }
}

TEST("symmetric: products of commuting symmetric matrices, and additions to the diagonal") {
  const auto backend = makeCpuBackend(2);
  for (const int64_t n : {1, 5, 130, 300}) {
    // A symmetric S, and S·S as a Gram matrix.
    std::vector<float> s = randomFloats(n * n, "symmetric");
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j) s[static_cast<size_t>(j * n + i)] = s[static_cast<size_t>(i * n + j)];
    const DeviceBuffer device = onDevice(*backend, s);
    DeviceBuffer product(*backend, n * n), gram(*backend, n * n);
    const auto batch = [&](const DeviceBuffer& x) { return Batch{x.data(), 1, n, n, n * n}; };
    backend->symmetricBatch(batch(product), batch(device), batch(device));
    backend->gramBatch(batch(gram), batch(device), Side::rows, 1, 0);
    const std::vector<float> result = product.download();
    CHECK_LE(relativeError(result, gram.download()), 1e-6);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j)
        CHECK_EQ(result[static_cast<size_t>(i * n + j)], result[static_cast<size_t>(j * n + i)]);
    backend->addDiagonalBatch(batch(product), 3);
    backend->addDiagonalBatch(batch(gram), 3);
    CHECK_LE(relativeError(product.download(), gram.download()), 1e-6);
    CHECK_THROWS(backend->symmetricBatch(batch(product), batch(device), {device.data(), 1, n, n + 1, n * n}), "symmetricBatch: expected");
  }
}

}  // namespace
}  // namespace muonscope::test
