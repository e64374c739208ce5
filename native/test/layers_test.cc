// Each layer's forward pass against a double-precision reference, each backward pass against central differences of it.
#include "test/numeric.h"
#include "test/reference_model.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

constexpr double kTolerance = 1e-6;  // a few roundings of fp32, 6e-8 each, over short sums

double dot(const Values& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += a[i] * b[i];
  return sum;
}

double crossEntropy(Backend& backend, ComputeMatrix logits, const std::vector<int32_t>& targets, bool gradient, float scale) {
  double loss = 0;
  backend.crossEntropy(&loss, logits, targets.data(), gradient, scale);
  return loss;
}

struct AttentionShape {
  int64_t batch, time, heads, headDim;
};

// 1: one token; 7, 65, 130: ragged tiles, and more than one block of rows; 6, 10: head dimensions that need padding.
const AttentionShape kAttentionShapes[] = {{1, 1, 1, 2}, {2, 7, 3, 6}, {1, 65, 2, 10}, {2, 64, 2, 32}, {1, 130, 1, 16}};

struct AttentionCase {
  std::unique_ptr<Backend> backend;
  std::vector<float> cosines, sines;
  Backend::Attention config;
  int64_t tokens, width;

  AttentionCase(const AttentionShape& s, int threads) : backend(makeCpuBackend({threads})) {
    const int64_t half = s.headDim / 2;
    for (int64_t t = 0; t < s.time; t++)
      for (int64_t d = 0; d < half; d++) {
        const double angle = double(t) * std::pow(10000.0, -double(d) / double(half));
        cosines.push_back(static_cast<float>(std::cos(angle)));
        sines.push_back(static_cast<float>(std::sin(angle)));
      }
    config = {s.batch, s.time, s.heads, s.headDim, cosines.data(), sines.data()};
    tokens = s.batch * s.time;
    width = s.heads * s.headDim;
  }
};

}  // namespace

TEST("layers: RMS normalisation and its gradient") {
  const auto backend = makeCpuBackend({2});
  constexpr int64_t rows = 71, cols = 19;
  auto x = randomFloats(rows * cols, "x"), y = x, dy = randomFloats(rows * cols, "dy");
  auto dx = randomFloats(rows * cols, "dx");
  const auto before = dx;
  std::vector<float> inverse(rows);
  backend->rmsNorm({y.data(), rows, cols}, inverse.data(), {x.data(), rows, cols});
  auto reference = toDouble(x);
  CHECK_LE(relativeError(y, referenceRmsNorm(reference, rows, cols)), kTolerance);
  backend->rmsNormBackward({dx.data(), rows, cols}, {dy.data(), rows, cols}, {x.data(), rows, cols}, inverse.data());
  for (size_t i = 0; i < dx.size(); i++) dx[i] -= before[i];
  const auto gradient = centralDifferences(reference, [&] { return dot(referenceRmsNorm(reference, rows, cols), dy); });
  CHECK_LE(relativeError(dx, gradient), kTolerance);
}

TEST("layers: ReLU² and its gradient, NaN kept") {
  const auto backend = makeCpuBackend({2});
  const std::vector<float> x = {-2, -0.5f, 0, 0.25f, 3, NAN}, dy = {1, 2, 3, 4, -5, 6};
  std::vector<float> y(x.size()), dx = dy;
  const auto one = [](const std::vector<float>& v) { return ComputeMatrix{const_cast<float*>(v.data()), 1, 6}; };
  backend->reluSquared(one(y), one(x));
  backend->reluSquaredBackward(one(dx), one(dx), one(x));
  const float expected[] = {0, 0, 0, 0.0625f, 9}, expectedGradient[] = {0, 0, 0, 2, -30};
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(y[i], expected[i]);
    CHECK_EQ(dx[i], expectedGradient[i]);
  }
  CHECK(std::isnan(y[5]));
  CHECK(std::isnan(dx[5]));
}

TEST("layers: cross-entropy and its gradient") {
  const auto backend = makeCpuBackend({2});
  constexpr int64_t rows = 37, cols = 53;
  auto logits = randomFloats(rows * cols, "logits", 4);
  std::vector<int32_t> targets(rows);
  for (int64_t i = 0; i < rows; i++) targets[i] = static_cast<int32_t>(i * 29 % cols);
  auto reference = toDouble(logits);
  const double expected = referenceCrossEntropy(reference, targets, rows, cols);
  const double plain = crossEntropy(*backend, {logits.data(), rows, cols}, targets, false, 1);
  CHECK_LE(std::abs(plain - expected), 1e-6);
  CHECK(toDouble(logits) == reference);  // without gradient the logits stay
  const double loss = crossEntropy(*backend, {logits.data(), rows, cols}, targets, true, 0.5f);
  CHECK_EQ(loss, plain);
  const auto gradient = centralDifferences(reference, [&] { return 0.5 * referenceCrossEntropy(reference, targets, rows, cols); });
  CHECK_LE(relativeError(logits, gradient), kTolerance);
}

TEST("layers: cross-entropy of extreme logits") {
  const auto backend = makeCpuBackend({1});
  const std::vector<int32_t> targets = {0, 1};
  std::vector<float> logits = {1000, -1000, 0, 1000, -1000, 0};
  CHECK_EQ(crossEntropy(*backend, {logits.data(), 2, 3}, targets, false, 1), 1000.0);  // (0 + 2000) / 2
  CHECK_EQ(crossEntropy(*backend, {logits.data(), 2, 3}, targets, true, 1), 1000.0);
  CHECK_EQ(logits[0], 0.0f);
  CHECK_EQ(logits[3], 0.5f);
  CHECK_EQ(logits[4], -0.5f);
  std::vector<float> bad = {0, NAN, 0};
  CHECK(std::isnan(crossEntropy(*backend, {bad.data(), 1, 3}, targets, true, 1)));
  bad = {0, INFINITY, 0};
  CHECK(std::isnan(crossEntropy(*backend, {bad.data(), 1, 3}, targets, true, 1)));
}

TEST("layers: embedding and its gradient") {
  const auto backend = makeCpuBackend({2});
  constexpr int64_t vocabulary = 9, width = 21, count = 70;
  auto table = randomFloats(vocabulary * width, "table"), d = randomFloats(count * width, "d");
  std::vector<int32_t> tokens(count);
  for (int64_t i = 0; i < count; i++) tokens[i] = static_cast<int32_t>(i * i % 7);
  std::vector<float> out(count * width), gradient(vocabulary * width, 1);
  backend->embed({out.data(), count, width}, {table.data(), vocabulary, width}, tokens.data());
  backend->embedBackward({gradient.data(), vocabulary, width}, {d.data(), count, width}, tokens.data());
  Values expected(vocabulary * width, 1);
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < width; j++) {
      CHECK_EQ(out[i * width + j], table[tokens[i] * width + j]);
      expected[tokens[i] * width + j] += d[i * width + j];
    }
  CHECK_LE(relativeError(gradient, expected), kTolerance);
}

TEST("layers: attention against a double-precision reference") {
  for (const auto& shape : kAttentionShapes) {
    AttentionCase c(shape, 2);
    auto qkv = randomFloats(c.tokens * 3 * c.width, "qkv");
    std::vector<float> out(c.tokens * c.width), saved(c.backend->attentionWorkspace(c.config));
    c.backend->attention({out.data(), c.tokens, c.width}, {qkv.data(), c.tokens, 3 * c.width}, saved.data(), c.config);
    const auto expected = referenceAttention(toDouble(qkv), shape.batch, shape.time, shape.heads, shape.headDim);
    CHECK_LE(relativeError(out, expected), kTolerance);
  }
}

TEST("layers: attention's gradient against central differences") {
  for (const auto& shape : {AttentionShape{1, 1, 1, 2}, {2, 7, 3, 6}, {1, 33, 1, 4}, {1, 67, 1, 2}}) {
    AttentionCase c(shape, 2);
    auto qkv = randomFloats(c.tokens * 3 * c.width, "qkv"), d = randomFloats(c.tokens * c.width, "d");
    std::vector<float> out(d.size()), gradient(qkv.size()), saved(c.backend->attentionWorkspace(c.config));
    const ComputeMatrix qkvMatrix{qkv.data(), c.tokens, 3 * c.width};
    c.backend->attention({out.data(), c.tokens, c.width}, qkvMatrix, saved.data(), c.config);
    c.backend->attentionBackward({gradient.data(), c.tokens, 3 * c.width}, {d.data(), c.tokens, c.width}, {out.data(), c.tokens, c.width}, qkvMatrix,
                                 saved.data(), c.config);
    auto reference = toDouble(qkv);
    const auto expected = centralDifferences(reference, [&] {
      return dot(referenceAttention(reference, shape.batch, shape.time, shape.heads, shape.headDim), d);
    });
    CHECK_LE(relativeError(gradient, expected), 2 * kTolerance);
  }
}

TEST("layers: attention does not depend on the number of threads") {
  const AttentionShape shape{3, 70, 3, 10};
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    AttentionCase c(shape, threads);
    auto qkv = randomFloats(c.tokens * 3 * c.width, "qkv"), d = randomFloats(c.tokens * c.width, "d");
    std::vector<float> out(d.size()), gradient(qkv.size()), saved(c.backend->attentionWorkspace(c.config));
    const ComputeMatrix qkvMatrix{qkv.data(), c.tokens, 3 * c.width};
    c.backend->attention({out.data(), c.tokens, c.width}, qkvMatrix, saved.data(), c.config);
    c.backend->attentionBackward({gradient.data(), c.tokens, 3 * c.width}, {d.data(), c.tokens, c.width}, {out.data(), c.tokens, c.width}, qkvMatrix,
                                 saved.data(), c.config);
    if (first.empty()) first = gradient;
    CHECK(gradient == first);
  }
}

TEST("layers: attention refuses shapes that do not fit") {
  AttentionCase c({1, 4, 1, 4}, 1);
  std::vector<float> qkv(4 * 12), out(4 * 4), saved(4);
  CHECK_THROWS(c.backend->attention({out.data(), 4, 4}, {qkv.data(), 4, 8}, saved.data(), c.config), "expected qkv [4, 12]");
  c.config.headDim = 3;
  CHECK_THROWS(c.backend->attention({out.data(), 4, 4}, {qkv.data(), 4, 12}, saved.data(), c.config), "even head dimension");
}
