// The CUDA backend's RMS normalisation, activation and cross-entropy against double-precision references of the very numbers
// that it was given, which in bf16 are the rounded ones.
#include <algorithm>

#include "test/cuda_device.h"
#include "test/cuda_shim/order.h"
#include "test/reference_model.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

// d(dy·rmsNorm(x))/dx, a difference of two terms, and the sum of the terms' magnitudes, which is what rounding is relative to.
struct RmsNormGradient {
  Values dx, magnitude;
};
RmsNormGradient referenceRmsNormBackward(const Values& x, const std::vector<float>& dy, int64_t rows, int64_t cols) {
  RmsNormGradient g;
  for (int64_t i = 0; i < rows; i++) {
    double squares = 0, product = 0;
    for (int64_t j = i * cols; j < (i + 1) * cols; j++) {
      squares += x[j] * x[j];
      product += x[j] * dy[j];
    }
    const double square = squares / double(cols) + std::ldexp(1, -23), r = 1 / std::sqrt(square);
    for (int64_t j = i * cols; j < (i + 1) * cols; j++) {
      const double along = r * dy[j], radial = r * x[j] * product / double(cols) / square;
      g.dx.push_back(along - radial);
      g.magnitude.push_back(std::abs(along) + std::abs(radial));
    }
  }
  return g;
}

void checkRmsNorm(CudaDevice& device, int64_t rows, int64_t cols) {
  auto x = randomFloats(rows * cols, "x"), dy = randomFloats(rows * cols, "dy"), before = randomFloats(rows * cols, "dx");
  const ComputeMatrix deviceX = device.compute(x, rows, cols), y = device.compute(rows, cols);
  const ComputeMatrix deviceDy = device.compute(dy, rows, cols), dx = device.compute(before, rows, cols);
  float* inverse = device.floats(rows);
  device->rmsNorm(y, inverse, deviceX);
  device->rmsNormBackward(dx, deviceDy, deviceX, inverse);
  const Values values = toDouble(x), expected = referenceRmsNorm(values, rows, cols);
  checkEach(device.read(y), expected, device.tolerance());
  const auto rms = device.read(inverse, rows);
  for (int64_t i = 0; i < rows; i++) {
    const double first = expected[i * cols];
    CHECK_LE(std::abs(rms[i] * x[i * cols] - first), kTolerance * std::abs(first));
  }
  const auto [gradient, magnitude] = referenceRmsNormBackward(values, dy, rows, cols);
  const auto sum = device.read(dx);
  for (size_t i = 0; i < sum.size(); i++) {
    const double wanted = before[i] + gradient[i];
    const double arithmetic = kTolerance * (std::abs(before[i]) + magnitude[i]);
    CHECK_LE(std::abs(sum[i] - wanted), device.lastRounding() * std::abs(wanted) + arithmetic);
  }
  CHECK(device.read(deviceX) == x);
}

void checkCrossEntropy(CudaDevice& device, int64_t rows, int64_t cols) {
  constexpr float scale = 0.5f;
  auto logits = randomFloats(rows * cols, "logits", 4);
  std::vector<int32_t> targets;
  // The first, the last, and some between.
  for (int64_t i = 0; i < rows; i++) targets.push_back(static_cast<int32_t>(i == 0 ? 0 : i == 1 ? cols - 1 : i * 29 % cols));
  const ComputeMatrix x = device.compute(logits, rows, cols);
  const int32_t* ids = device.ids(targets);
  const double expected = referenceCrossEntropy(toDouble(logits), targets, rows, cols);
  const double plain = device.loss(x, ids, false, 1);
  CHECK_LE(std::abs(plain - expected), kTolerance);
  CHECK(device.read(x) == logits);  // without gradient the logits stay
  CHECK_LE(std::abs(device.loss(x, ids, true, scale) - expected), kTolerance);
  Values gradient;
  for (int64_t i = 0; i < rows; i++) {
    const float* row = logits.data() + i * cols;
    const double largest = *std::max_element(row, row + cols);
    double sum = 0;
    for (int64_t j = 0; j < cols; j++) sum += std::exp(row[j] - largest);
    for (int64_t j = 0; j < cols; j++)
      gradient.push_back((std::exp(row[j] - largest) / sum - (j == targets[i])) * scale / double(rows));
  }
  // Beside the last rounding: x is rounded to 2^-24 before e^x, and the device's e^x for bf16 is wrong by 2 + 1.2·|x| units
  // of 2^-23; |x| is up to 30. At the target, 1 is subtracted, and what is wrong with the likelihood stays.
  const double relative = device.half() ? kHalfRounding + 5e-6 : 3e-6;
  const auto received = device.read(x);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      const double wanted = gradient[i * cols + j], absolute = j == targets[i] ? 5e-6 * scale / double(rows) : 0;
      CHECK_LE(std::abs(received[i * cols + j] - wanted), relative * std::abs(wanted) + absolute);
    }
}

}  // namespace

TEST("cuda layers: RMS normalisation and its gradient") {
  for (const char* precision : kPrecisions) {
    CudaDevice device(precision);
    // Ragged; one number; fewer and more than a warp holds; ragged and wide rows of more than one warp.
    const std::vector<std::pair<int64_t, int64_t>> shapes = {{71, 19}, {1, 1}, {1, 8}, {9, 768}, {3, 1030}, {2, 2056}};
    for (const auto& [rows, cols] : shapes) checkRmsNorm(device, rows, cols);
    // More than a block holds, ragged and wide.
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{2, 2051}, {3, 17000}}) checkRmsNorm(device, rows, cols);
    // More rows than the device has teams for at a time.
    checkRmsNorm(device, 5000, 4);
  }
}

TEST("cuda layers: the reference of RMS normalisation's gradient against central differences") {
  constexpr int64_t rows = 3, cols = 11;
  Values x = toDouble(randomFloats(rows * cols, "x"));
  const auto dy = randomFloats(rows * cols, "dy");
  const auto expected = centralDifferences(x, [&] {
    const Values y = referenceRmsNorm(x, rows, cols);
    double sum = 0;
    for (size_t i = 0; i < y.size(); i++) sum += y[i] * dy[i];
    return sum;
  });
  CHECK_LE(relativeError(referenceRmsNormBackward(x, dy, rows, cols).dx, expected), 1e-8);
}

TEST("cuda layers: ReLU² and its gradient, NaN kept") {
  for (const char* precision : kPrecisions) {
    CudaDevice device(precision);
    std::vector<float> x = {-2, -0.5f, 0, 0.25f, 3, NAN}, dy = {1, 2, 3, 4, -5, 6};
    const ComputeMatrix deviceX = device.compute(x, 2, 3), y = device.compute(2, 3), dx = device.compute(dy, 2, 3);
    device->reluSquared(y, deviceX);
    device->reluSquaredBackward(dx, dx, deviceX);
    const auto value = device.read(y), gradient = device.read(dx);
    const float expected[] = {0, 0, 0, 0.0625f, 9}, expectedGradient[] = {0, 0, 0, 2, -30};
    for (int i = 0; i < 5; i++) {
      CHECK_EQ(value[i], expected[i]);
      CHECK_EQ(gradient[i], expectedGradient[i]);
    }
    CHECK(std::isnan(value[5]));
    CHECK(std::isnan(gradient[5]));
  }
}

TEST("cuda layers: ReLU² of all sizes") {
  for (const char* precision : kPrecisions) {
    CudaDevice device(precision);
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {1, 8}, {37, 53}, {129, 264}}) {
      auto x = randomFloats(rows * cols, "x"), dy = randomFloats(rows * cols, "dy");
      const ComputeMatrix deviceX = device.compute(x, rows, cols), y = device.compute(rows, cols);
      const ComputeMatrix deviceDy = device.compute(dy, rows, cols), dx = device.compute(rows, cols);
      device->reluSquared(y, deviceX);
      device->reluSquaredBackward(dx, deviceDy, deviceX);
      Values expected, gradient;
      for (size_t i = 0; i < x.size(); i++) {
        const double positive = std::max(0.0, double(x[i]));
        expected.push_back(positive * positive);
        gradient.push_back(2 * positive * dy[i]);
      }
      checkEach(device.read(y), expected, device.tolerance());
      checkEach(device.read(dx), gradient, device.tolerance());
    }
  }
}

TEST("cuda layers: cross-entropy and its gradient") {
  for (const char* precision : kPrecisions) {
    CudaDevice device(precision);
    // Ragged rows, also shorter than one access; aligned ones; as many as GPT-2's tokens, at odd addresses.
    const std::vector<std::pair<int64_t, int64_t>> shapes = {{37, 53}, {1, 1}, {9, 3}, {3, 8}, {40, 256}, {3, 50257}};
    for (const auto& [rows, cols] : shapes) checkCrossEntropy(device, rows, cols);
    // Beyond the shared memory of a block, aligned and not.
    for (const int64_t cols : {131072, 131073}) checkCrossEntropy(device, 2, cols);
    // More rows than the device has blocks for at a time, and than the mean has threads.
    checkCrossEntropy(device, 2500, 5);
  }
}

TEST("cuda layers: cross-entropy of extreme logits") {
  for (const char* precision : kPrecisions) {
    CudaDevice device(precision);
    const int32_t* targets = device.ids({0, 1});
    std::vector<float> logits = {1000, -1000, 0, 1000, -1000, 0};  // exact in bf16
    const ComputeMatrix x = device.compute(logits, 2, 3);
    CHECK_EQ(device.loss(x, targets, false, 1), 1000.0);  // (0 + 2000) / 2
    CHECK_EQ(device.loss(x, targets, true, 1), 1000.0);
    CHECK(device.read(x) == (std::vector<float>{0, 0, 0, 0.5f, -0.5f, 0}));
    const auto lossOf = [&](std::vector<float> row) {
      const auto cols = static_cast<int64_t>(row.size());
      return device.loss(device.compute(row, 1, cols), targets, true, 1);
    };
    constexpr float inf = INFINITY;
    for (const size_t n : {3, 8, 19}) {  // single numbers, one pack, both
      for (const size_t at : {size_t{0}, size_t{1}, n - 1}) {
        std::vector<float> row(n);
        row[at] = NAN;
        CHECK(std::isnan(lossOf(row)));
        row[at] = inf;
        CHECK(std::isnan(lossOf(row)));
        row[at] = -inf;  // of no likelihood
        if (at == 0)
          CHECK_EQ(lossOf(row), double(inf));
        else
          CHECK_LE(std::abs(lossOf(row) - std::log(double(n - 1))), kTolerance);
      }
      CHECK(std::isnan(lossOf(std::vector<float>(n, -inf))));
    }
  }
}

TEST("cuda layers: no rows, nothing written") {
  CudaDevice device("bf16");
  std::vector<float> x = randomFloats(8, "x"), y = randomFloats(8, "y");
  const ComputeMatrix deviceX = device.compute(x, 1, 8), deviceY = device.compute(y, 1, 8);
  const ComputeMatrix noX{deviceX.data, 0, 8}, noY{deviceY.data, 0, 8};
  const Matrix table = device.matrix(std::vector<float>(8, 3), 1, 8);
  float* inverse = device.floats(1);
  device->embed(noY, table, nullptr);
  device->embedBackward(table, noY, nullptr);
  device->rmsNorm(noY, inverse, noX);
  device->rmsNormBackward(noY, noX, noX, inverse);
  device->reluSquared(noY, noX);
  device->reluSquaredBackward(noY, noX, noX);
  CHECK(device.read(deviceY) == y);
  CHECK(device.read(table.data, 8) == std::vector<float>(8, 3));
  CHECK_EQ(device.read(inverse, 1)[0], 0.0f);  // as it was allocated
}

TEST("cuda layers: results do not depend on the order of threads and blocks") {
  constexpr int64_t rows = 150, cols = 1096;  // more than a warp a row; two pieces of a token's positions, and three
  const auto results = [&] {
    CudaDevice device("bf16");
    auto x = randomFloats(rows * cols, "x"), dy = randomFloats(rows * cols, "dy");
    const ComputeMatrix deviceX = device.compute(x, rows, cols), dx = device.compute(dy, rows, cols);
    const ComputeMatrix y = device.compute(rows, cols);
    float* inverse = device.floats(rows);
    device->rmsNorm(y, inverse, deviceX);
    device->rmsNormBackward(dx, y, deviceX, inverse);
    std::vector<int32_t> tokens(rows);
    for (int64_t i = 0; i < rows; i++) tokens[i] = i >= 70 ? 1 : 0;
    const Matrix table = device.matrix(std::vector<float>(2 * cols), 2, cols);
    device->embedBackward(table, dx, tokens.data());
    const double loss = device.loss(y, device.ids(tokens), true, 1);
    auto all = device.read(table.data, table.size());
    for (const auto& more : {device.read(dx), device.read(y), device.read(inverse, rows)})
      all.insert(all.end(), more.begin(), more.end());
    return std::pair{loss, all};
  };
  const auto kept = cudaShim::orderState();
  cudaShim::setOrder(cudaShim::Order::ascending);
  const auto expected = results();
  cudaShim::setOrder(cudaShim::Order::descending);
  const auto descending = results();
  cudaShim::setOrder(cudaShim::Order::shuffled);
  const auto shuffled = results();
  cudaShim::orderState() = kept;
  CHECK(descending == expected);
  CHECK(shuffled == expected);
}
