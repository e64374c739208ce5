// The CUDA backend's embedding and its gradient, for tokens that occur never, once and all the time.
#include <algorithm>

#include "backend/cuda/occurrences.h"
#include "test/cuda_device.h"
#include "test/cuda_shim/shim.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

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

// The emulated device works when the host waits, not before.
struct Late {
  cudaShim::Settings kept = cudaShim::settings();
  Late() { cudaShim::settings().late = true; }
  ~Late() { cudaShim::settings() = kept; }
};

}  // namespace

TEST("cuda embedding: rows and their gradient") {
  for (const char* precision : kPrecisions) {
    CudaDevice device(precision);
    for (const auto& c : embeddingCases()) {
      const auto count = static_cast<int64_t>(c.tokens.size());
      auto table = randomFloats(c.vocabulary * c.width, "table"), d = randomFloats(count * c.width, "d");
      const ComputeMatrix out = device.compute(count, c.width), deviceD = device.compute(d, count, c.width);
      device->embed(out, device.matrix(table, c.vocabulary, c.width), device.ids(c.tokens));
      const Matrix gradient = device.matrix(std::vector<float>(table.size(), 1), c.vocabulary, c.width);
      device->embedBackward(gradient, deviceD, c.tokens.data());
      device.compute(table, c.vocabulary, c.width);
      const auto rows = device.read(out);
      std::vector<double> expected(table.size(), 1);
      for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < c.width; j++) {
          CHECK_EQ(rows[i * c.width + j], table[c.tokens[i] * c.width + j]);
          expected[c.tokens[i] * c.width + j] += d[i * c.width + j];
        }
      CHECK_LE(relativeError(device.read(gradient.data, gradient.size()), expected), kTolerance);
    }
  }
}

TEST("cuda embedding: gradients follow each other before the device is done, the host's tokens reused at once") {
  CudaDevice device("bf16");
  constexpr int64_t vocabulary = 50, width = 24, count = 200;
  auto d = randomFloats(count * width, "d");
  const ComputeMatrix deviceD = device.compute(d, count, width);
  const Matrix gradient = device.matrix(std::vector<float>(vocabulary * width), vocabulary, width);
  std::vector<double> expected(vocabulary * width);
  std::vector<int32_t> tokens(count);
  const Late late;
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

TEST("cuda embedding: occurrences of tokens, cut into pieces") {
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
