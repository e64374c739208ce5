// The CUDA backend's embedding, RMS normalisation, activation and cross-entropy against double-precision references of the
// very numbers that it was given, which in bf16 are the rounded ones.
#include <algorithm>
#include <cmath>

#include "backend/cuda/occurrences.h"
#include "test/emulated_cuda.h"
#include "test/numeric.h"
#include "test/reference_model.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

constexpr double kTolerance = 1e-6;  // a few roundings of fp32, 6e-8 each, over short sums

class Device {
 public:
  explicit Device(const char* precision) : backend_(makeEmulatedCudaBackend(precision)) {}
  ~Device() {
    for (float* p : allocated_) backend_->release(p);
  }
  Backend* operator->() const { return backend_.get(); }
  bool half() const { return backend_->info().computeBytes == 2; }
  // Of a result in the compute type: what fp32 arithmetic and, at the end, one rounding to 8 bits may add.
  double tolerance() const { return kTolerance + (half() ? std::ldexp(1, -9) : 0); }

  float* floats(int64_t n) {
    allocated_.push_back(backend_->allocate(n));
    return allocated_.back();
  }
  Matrix matrix(const std::vector<float>& x, int64_t rows, int64_t cols) {
    const Matrix m{floats(rows * cols), rows, cols};
    backend_->upload(m.data, x.data(), rows * cols);
    return m;
  }
  ComputeMatrix compute(int64_t rows, int64_t cols) {
    const int64_t bytes = rows * cols * backend_->info().computeBytes;
    return {floats((bytes + 3) / 4), rows, cols};
  }
  // Rounds x to what the device has.
  ComputeMatrix compute(std::vector<float>& x, int64_t rows, int64_t cols) {
    const ComputeMatrix m = compute(rows, cols);
    backend_->toCompute(m, matrix(x, rows, cols));
    x = read(m);
    return m;
  }
  const int32_t* ids(const std::vector<int32_t>& x) {
    const auto n = static_cast<int64_t>(x.size());
    float* p = floats(n);
    backend_->upload(p, reinterpret_cast<const float*>(x.data()), n);
    return reinterpret_cast<const int32_t*>(p);
  }
  std::vector<float> read(const float* p, int64_t n) {
    std::vector<float> x(static_cast<size_t>(n));
    backend_->download(x.data(), p, n);
    return x;
  }
  std::vector<float> read(ComputeMatrix m) {
    float* p = floats(m.size());
    backend_->fromCompute({p, 1, m.rows, m.cols, m.size()}, {m.data, 1, m.rows, m.cols});
    return read(p, m.size());
  }
  double loss(ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) {
    auto* p = reinterpret_cast<double*>(floats(2));
    backend_->crossEntropy(p, logits, targets, gradient, scale);
    double loss = 0;
    backend_->read(&loss, p, 1);
    return loss;
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::vector<float*> allocated_;
};

const char* const kPrecisions[] = {"fp32", "bf16"};

// |x − expected| ≤ tolerance·|expected|, for each.
void checkEach(const std::vector<float>& x, const Values& expected, double tolerance) {
  CHECK_EQ(x.size(), expected.size());
  for (size_t i = 0; i < x.size(); i++) CHECK_LE(std::abs(x[i] - expected[i]), tolerance * std::abs(expected[i]));
}

// d(dy·rmsNorm(x))/dx
Values referenceRmsNormBackward(const Values& x, const std::vector<float>& dy, int64_t rows, int64_t cols) {
  Values dx;
  for (int64_t i = 0; i < rows; i++) {
    double squares = 0, product = 0;
    for (int64_t j = i * cols; j < (i + 1) * cols; j++) {
      squares += x[j] * x[j];
      product += x[j] * dy[j];
    }
    const double square = squares / double(cols) + std::ldexp(1, -23), r = 1 / std::sqrt(square);
    for (int64_t j = i * cols; j < (i + 1) * cols; j++) dx.push_back(r * (dy[j] - x[j] * product / double(cols) / square));
  }
  return dx;
}

void checkRmsNorm(Device& device, int64_t rows, int64_t cols) {
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
  Values sum = referenceRmsNormBackward(values, dy, rows, cols);
  for (size_t i = 0; i < sum.size(); i++) sum[i] += before[i];
  CHECK_LE(relativeError(device.read(dx), sum), device.tolerance());
  CHECK(device.read(deviceX) == x);
}

void checkCrossEntropy(Device& device, int64_t rows, int64_t cols) {
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
  const double relative = device.half() ? std::ldexp(1, -9) + 5e-6 : 3e-6;
  const auto received = device.read(x);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      const double wanted = gradient[i * cols + j], absolute = j == targets[i] ? 5e-6 * scale / double(rows) : 0;
      CHECK_LE(std::abs(received[i * cols + j] - wanted), relative * std::abs(wanted) + absolute);
    }
}

struct EmbeddingCase {
  int64_t vocabulary, width;
  std::vector<int32_t> tokens;
};

std::vector<EmbeddingCase> embeddingCases() {
  const auto tokens = [](int64_t n, auto token) {
    std::vector<int32_t> list;
    for (int64_t i = 0; i < n; i++) list.push_back(static_cast<int32_t>(token(i)));
    return list;
  };
  return {
      {9, 21, tokens(70, [](int64_t i) { return i * i % 7; })},             // ragged rows, a token that never comes
      {1, 1, tokens(1, [](int64_t) { return 0; })},                         // the least there can be
      {5, 40, tokens(64, [](int64_t) { return 3; })},                       // one whole piece
      {5, 40, tokens(65, [](int64_t) { return 4; })},                       // one more than that
      {5, 264, tokens(3000, [](int64_t) { return 2; })},                    // all the same; more than one tile of a row
      {300, 72, tokens(1500, [](int64_t i) { return i % 3 ? i % 2 : i % 300; })},  // skewed: two tokens are most of them
      {3000, 16, tokens(2500, [](int64_t i) { return i * 7 % 3000; })},     // all different: more warps than run at a time
  };
}

}  // namespace

TEST("cuda layers: RMS normalisation and its gradient") {
  for (const char* precision : kPrecisions) {
    Device device(precision);
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
  CHECK_LE(relativeError(referenceRmsNormBackward(x, dy, rows, cols), expected), 1e-8);
}

TEST("cuda layers: ReLU² and its gradient, NaN kept") {
  for (const char* precision : kPrecisions) {
    Device device(precision);
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
    Device device(precision);
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{0, 8}, {1, 1}, {1, 8}, {37, 53}, {129, 264}}) {
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
    Device device(precision);
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
    Device device(precision);
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

TEST("cuda layers: embedding and its gradient") {
  for (const char* precision : kPrecisions) {
    Device device(precision);
    for (const auto& c : embeddingCases()) {
      const auto count = static_cast<int64_t>(c.tokens.size());
      auto table = randomFloats(c.vocabulary * c.width, "table"), d = randomFloats(count * c.width, "d");
      const ComputeMatrix out = device.compute(count, c.width), deviceD = device.compute(d, count, c.width);
      device->embed(out, device.matrix(table, c.vocabulary, c.width), device.ids(c.tokens));
      const Matrix gradient = device.matrix(std::vector<float>(table.size(), 1), c.vocabulary, c.width);
      device->embedBackward(gradient, deviceD, c.tokens.data());
      device.compute(table, c.vocabulary, c.width);
      const auto rows = device.read(out);
      Values expected(table.size(), 1);
      for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < c.width; j++) {
          CHECK_EQ(rows[i * c.width + j], table[c.tokens[i] * c.width + j]);
          expected[c.tokens[i] * c.width + j] += d[i * c.width + j];
        }
      CHECK_LE(relativeError(device.read(gradient.data, gradient.size()), expected), kTolerance);
    }
  }
}

TEST("cuda layers: gradients of embeddings follow each other, the host's tokens reused at once") {
  Device device("bf16");
  constexpr int64_t vocabulary = 50, width = 24, count = 200;
  auto d = randomFloats(count * width, "d");
  const ComputeMatrix deviceD = device.compute(d, count, width);
  const Matrix gradient = device.matrix(std::vector<float>(vocabulary * width), vocabulary, width);
  Values expected(vocabulary * width);
  std::vector<int32_t> tokens(count);
  for (int64_t round = 0; round < 7; round++) {
    const int64_t used = round == 3 ? count : count / 2;  // the lists grow, then shrink
    for (int64_t i = 0; i < used; i++) {
      tokens[i] = static_cast<int32_t>((i * round + i * i) % (round % 2 ? 2 : vocabulary));
      for (int64_t j = 0; j < width; j++) expected[tokens[i] * width + j] += d[i * width + j];
    }
    device->embedBackward(gradient, {deviceD.data, used, width}, tokens.data());
    std::fill(tokens.begin(), tokens.end(), 0);
  }
  CHECK_LE(relativeError(device.read(gradient.data, gradient.size()), expected), kTolerance);
}

TEST("cuda layers: occurrences of tokens, cut into pieces") {
  const std::vector<int32_t> tokens = {4, 1, 4, 4, 0, 4, 1, 4};
  const auto o = cuda::findOccurrences(tokens.data(), 8, 6, 2);
  CHECK(o.positions == (std::vector<int32_t>{4, 1, 6, 0, 2, 3, 5, 7}));
  const std::vector<std::vector<int32_t>> pieces = {{0, 0, 1, -1}, {1, 1, 2, -1}, {4, 3, 2, 0}, {4, 5, 2, 1}, {4, 7, 1, 2}};
  CHECK_EQ(o.pieces.size(), pieces.size());
  for (size_t i = 0; i < pieces.size(); i++)
    CHECK((std::vector<int32_t>{o.pieces[i].token, o.pieces[i].begin, o.pieces[i].count, o.pieces[i].partial}) == pieces[i]);
  CHECK_EQ(o.merges.size(), size_t{1});
  CHECK((std::vector<int32_t>{o.merges[0].token, o.merges[0].begin, o.merges[0].count}) == (std::vector<int32_t>{4, 0, 3}));
  CHECK_EQ(o.partials, 3);
}
