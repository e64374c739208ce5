// Normalisation of matrices, rows and columns by the CUDA backend against fp64 on the host.
#include "test/cuda_arrays.h"
#include "test/emulated_cuda.h"

namespace muonscope::test {
namespace {

double squaresOf(const float* x, int64_t n, int64_t step = 1) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += double(x[i * step]) * x[i * step];
  return sum;
}

// Of bf16 numbers, which lie in pairs in floats.
std::vector<float> fromBf16(const std::vector<float>& pairs, int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) {
    uint16_t high;
    std::memcpy(&high, reinterpret_cast<const char*>(pairs.data()) + 2 * i, 2);
    const uint32_t bits = uint32_t{high} << 16;
    std::memcpy(&x[static_cast<size_t>(i)], &bits, 4);
  }
  return x;
}

struct Case {
  int64_t count, rows, cols, gap;
};

// One matrix in four is of zeros, one is small, one is large.
std::vector<float> matricesFor(const Case& c) {
  const int64_t n = c.rows * c.cols, stride = n + c.gap;
  std::vector<float> x = randomFloats(c.count * stride, "normalize");
  constexpr float sizes[] = {1, 0, 1e-30f, 1e18f};
  for (int64_t k = 0; k < c.count; k++)
    for (int64_t i = 0; i < n; i++) x[static_cast<size_t>(k * stride + i)] *= sizes[k % 4];
  return x;
}

const std::vector<Case> cases = {{0, 3, 3, 0}, {2, 0, 5, 0}, {1, 1, 1, 0}, {4, 1, 8193, 0}, {4, 20001, 1, 0}, {5, 37, 41, 0},
                                 {4, 64, 128, 4}, {4, 31, 33, 2}, {70, 3, 5, 0}};

TEST("cuda normalize: matrices of any size have the norm asked for, in fp32 and in bf16") {
  for (const std::string precision : {"fp32", "bf16"}) {
    const auto backend = makeEmulatedCudaBackend(precision);
    const bool half = precision == "bf16";
    for (const Case& c : cases)
      for (const double smallest : {0.0, 1e-7}) {
        const int64_t n = c.rows * c.cols, stride = n + c.gap, size = c.count * n;
        const std::vector<float> x = matricesFor(c);
        const Placed device(*backend, x, c.count % 2);
        const auto y = inEveryOrder([&] {
          const Placed out(*backend, std::vector<float>(static_cast<size_t>(half ? (size + 1) / 2 : size)));
          const Batch batch = {device.data(), c.count, c.rows, c.cols, stride};
          backend->normalize(ComputeBatch{out.data(), c.count, c.rows, c.cols}, batch, 0.95, smallest);
          return half ? fromBf16(out.download(), size) : out.download();
        });
        CHECK(device.download() == x);
        for (int64_t k = 0; k < c.count; k++) {
          const double norm = std::sqrt(squaresOf(x.data() + k * stride, n));
          const double factor = norm == 0 ? 0 : 0.95 / std::max(norm, smallest);
          for (int64_t i = 0; i < n; i++) {
            const double expected = factor * x[static_cast<size_t>(k * stride + i)], actual = y[static_cast<size_t>(k * n + i)];
            // Of the factor and the product; in bf16, which has 8 bits, half of its last one beside that.
            checkRounded(actual, expected, std::abs(expected), 2.01 + (half ? 0x1p16 : 0));
          }
        }
      }
  }
}

TEST("cuda normalize: in fp32 from one batch to another, and in place") {
  const auto backend = makeEmulatedCudaBackend("bf16");
  for (const Case& c : cases) {
    const int64_t n = c.rows * c.cols, stride = n + c.gap;
    const std::vector<float> x = matricesFor(c);
    const Placed device(*backend, x, 1), out(*backend, std::vector<float>(static_cast<size_t>(c.count * (n + 1)), 5.5f));
    const Batch batch = {device.data(), c.count, c.rows, c.cols, stride};
    backend->normalize(Batch{out.data(), c.count, c.rows, c.cols, n + 1}, batch, 0.95, 1e-7);
    backend->normalize(batch, batch, 0.95, 1e-7);
    const std::vector<float> apart = out.download(), inPlace = device.download();
    for (int64_t k = 0; k < c.count; k++) {
      const double factor = 0.95 / std::max(std::sqrt(squaresOf(x.data() + k * stride, n)), 1e-7);
      for (int64_t i = 0; i < n; i++) {
        const double expected = factor * x[static_cast<size_t>(k * stride + i)];
        checkRounded(inPlace[static_cast<size_t>(k * stride + i)], expected, std::abs(expected), 2.01);
        CHECK_EQ(apart[static_cast<size_t>(k * (n + 1) + i)], inPlace[static_cast<size_t>(k * stride + i)]);
      }
      CHECK_EQ(apart[static_cast<size_t>(k * (n + 1) + n)], 5.5f);
      CHECK(std::equal(x.begin() + k * stride + n, x.begin() + (k + 1) * stride, inPlace.begin() + k * stride + n));
    }
  }
}

TEST("cuda normalize: a matrix of more parts than the second pass adds up for itself") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  const std::vector<float> x = randomFloats(2101 * 2099, "large");
  const Placed device(*backend, x);
  const Batch batch = {device.data(), 1, 2101, 2099, 2101 * 2099};
  backend->normalize(batch, batch, 1, 1e-7);
  const std::vector<float> y = device.download();
  const double norm = std::sqrt(squaresOf(x.data(), batch.stride));
  for (size_t i = 0; i < x.size(); i++) checkRounded(y[i], x[i] / norm, std::abs(x[i] / norm), 2.01);
}

TEST("cuda normalize: what is not a number stays one") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  const Placed device(*backend, {1, NAN, 2, INFINITY, 1, 1});
  const Batch batch = {device.data(), 2, 1, 3, 3};
  backend->normalize(batch, batch, 1, 1e-7);
  const std::vector<float> y = device.download();
  CHECK(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]) && std::isnan(y[3]) && y[4] == 0);
}

// test(batch, its values, its stride) for rows that a warp or a block holds and that are longer, at every address: the results of
// `body` are the same bit by bit.
template <class Body>
void eachPlaceOfRows(Backend& backend, const std::vector<Case>& list, const Body& body) {
  for (const Case& c : list) {
    std::vector<float> first;
    for (int64_t offset = 0; offset < 4; offset++) {
      const int64_t stride = c.rows * c.cols + c.gap;
      const std::vector<float> x = randomFloats(c.count * stride, "rows");
      const std::vector<float> result = inEveryOrder([&] {
        const Placed device(backend, x, offset);
        return body({device.data(), c.count, c.rows, c.cols, stride}, x, device);
      });
      if (offset == 0) first = result;
      CHECK(result == first);
    }
  }
}

TEST("cuda rows: mean squares, and rows divided by the root of their moving average") {
  const auto backend = makeEmulatedCudaBackend("bf16");
  const std::vector<Case> list = {{0, 3, 3, 0},    {2, 0, 5, 0},    {1, 1, 1, 0},    {3, 5, 1, 2},    {2, 9, 5, 1},
                                  {2, 17, 32, 0},  {1, 9, 768, 0},  {2, 3, 1023, 3}, {1, 3, 1024, 0}, {2, 2, 1025, 0},
                                  {2, 3, 1600, 4}, {1, 2, 8192, 0}, {1, 2, 8200, 0}, {1, 3, 9001, 0}, {1, 70, 3, 0}};
  for (const bool divide : {false, true})
    eachPlaceOfRows(*backend, list, [&](Batch x, const std::vector<float>& before, const Placed& device) {
      const int64_t rows = x.count * x.rows;
      std::vector<float> v = randomFloats(rows, "v");
      for (float& value : v) value *= value;
      const Placed means(*backend, v), averages(*backend, v);
      const float beta = 0.95f, eps = 1e-10f;
      backend->rowMeanSquare(means.data(), x);
      CHECK(device.download() == before);
      backend->normalizeRows(x, averages.data(), beta, eps, divide);
      const std::vector<float> mean = means.download(), average = averages.download(), after = device.download();
      std::vector<double> scale;
      for (int64_t i = 0; i < rows; i++) {
        const float* row = before.data() + i / x.rows * x.stride + i % x.rows * x.cols;
        const double square = squaresOf(row, x.cols) / double(x.cols);
        const double next = (1 - double(beta)) * square + double(beta) * v[static_cast<size_t>(i)];
        checkRounded(mean[static_cast<size_t>(i)], square, square, 1.01);
        checkRounded(average[static_cast<size_t>(i)], next, next, 4);  // the mean, 1 − beta, a product, the sum
        scale.push_back(divide ? 1 / (std::sqrt(next) + eps) : 1);
      }
      for (size_t at = 0; at < after.size(); at++) {
        const int64_t inMatrix = static_cast<int64_t>(at) % x.stride;
        const bool gap = inMatrix >= x.rows * x.cols;
        const double by = gap ? 1 : scale[static_cast<size_t>(static_cast<int64_t>(at) / x.stride * x.rows + inMatrix / x.cols)];
        // Half of the average's four roundings, the root, the sum, the reciprocal, the product.
        checkRounded(after[at], by * before[at], std::abs(by * before[at]), divide && !gap ? 6.01 : 0);
      }
      std::vector<float> all = after;
      all.insert(all.end(), average.begin(), average.end());
      all.insert(all.end(), mean.begin(), mean.end());
      return all;
    });
}

TEST("cuda columns: mean squares, and columns divided by roots") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  const std::vector<Case> list = {{0, 3, 3, 0},   {1, 1, 1, 0},   {3, 1, 5, 2},     {2, 300, 1, 0}, {2, 127, 33, 1},
                                  {1, 128, 32, 0}, {2, 129, 31, 0}, {2, 260, 136, 4}, {1, 700, 9, 0}, {3, 5, 4, 1}};
  eachPlaceOfRows(*backend, list, [&](Batch x, const std::vector<float>& before, const Placed& device) {
    const int64_t columns = x.count * x.cols;
    std::vector<float> s = randomFloats(columns, "s");
    for (float& value : s) value *= value;
    const Placed means(*backend, s), roots(*backend, s);
    backend->columnMeanSquare(means.data(), x);
    CHECK(device.download() == before);
    backend->scaleColumns(x, roots.data(), 0.01f);
    const std::vector<float> mean = means.download(), after = device.download();
    for (int64_t i = 0; i < columns; i++) {
      const float* column = before.data() + i / x.cols * x.stride + i % x.cols;
      const double square = squaresOf(column, x.rows, x.cols) / double(x.rows);
      checkRounded(mean[static_cast<size_t>(i)], square, square, 1.01);
    }
    for (size_t at = 0; at < after.size(); at++) {
      const int64_t matrix = static_cast<int64_t>(at) / x.stride, inMatrix = static_cast<int64_t>(at) % x.stride;
      const bool gap = inMatrix >= x.rows * x.cols;
      const double root = std::sqrt(double(s[static_cast<size_t>(matrix * x.cols + inMatrix % x.cols)]));
      const double by = gap ? 1 : 1 / (root + double(0.01f));
      checkRounded(after[at], by * before[at], std::abs(by * before[at]), gap ? 0 : 4.01);  // root, sum, reciprocal, product
    }
    std::vector<float> all = after;
    all.insert(all.end(), mean.begin(), mean.end());
    return all;
  });
}

}  // namespace
}  // namespace muonscope::test
