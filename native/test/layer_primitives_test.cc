// The model's layers of a device against the CPU's.
#include "test/primitives_fixture.h"

namespace muonscope::test {
namespace {

constexpr int64_t rows = 70, cols = 136;

}  // namespace

TEST_ON_DEVICES("primitives: the model's layers") {
  const Pair pair(make);
  const int64_t vocabulary = 50;
  const Floats x = pair.numbers(rows * cols, "x"), dy = pair.numbers(rows * cols, "dy"), table = randomFloats(vocabulary * cols, "table");
  std::vector<int32_t> tokens(rows);
  for (int64_t i = 0; i < rows; i++) tokens[i] = static_cast<int32_t>(i * i % vocabulary);
  pair.compare(2, [&](const Place& p) {
    const auto t = p.floats(table), i = p.tokens(tokens);
    DeviceBuffer out(p.backend, computeFloats(p.backend, rows * cols));
    p.backend.embed({out.data(), rows, cols}, {t.data(), vocabulary, cols}, ids(i));
    return p.read(out, rows * cols);
  });
  pair.compareFp32(8, [&](const Place& p) {
    const auto t = p.floats(table), d = p.compute(dy);
    p.backend.embedBackward({t.data(), vocabulary, cols}, {d.data(), rows, cols}, tokens.data());
    return t.download();
  });
  pair.compare(4, [&](const Place& p) {
    const auto in = p.compute(x), d = p.compute(dy), to = p.compute(x);
    DeviceBuffer y(p.backend, computeFloats(p.backend, rows * cols)), inverse(p.backend, rows);
    const auto matrix = [](const DeviceBuffer& b) { return ComputeMatrix{b.data(), rows, cols}; };
    p.backend.rmsNorm(matrix(y), inverse.data(), matrix(in));
    p.backend.rmsNormBackward(matrix(to), matrix(d), matrix(in), inverse.data());
    Floats both = p.read(y, rows * cols);
    for (const float v : p.read(to, rows * cols)) both.push_back(v);
    return both;
  });
  pair.compare(4, [&](const Place& p) {
    const auto in = p.compute(x), d = p.compute(dy);
    DeviceBuffer y(p.backend, computeFloats(p.backend, rows * cols));
    const auto matrix = [](const DeviceBuffer& b) { return ComputeMatrix{b.data(), rows, cols}; };
    p.backend.reluSquared(matrix(y), matrix(in));
    p.backend.reluSquaredBackward(matrix(d), matrix(d), matrix(in));
    Floats both = p.read(y, rows * cols);
    for (const float v : p.read(d, rows * cols)) both.push_back(v);
    return both;
  });
  pair.compare(4, [&](const Place& p) {
    const auto logits = p.compute(x), targets = p.tokens(tokens);
    DeviceBuffer loss(p.backend, 2);
    p.backend.crossEntropy(loss.doubles(), {logits.data(), rows, cols}, ids(targets), true, 1);
    Floats both = p.read(logits, rows * cols);
    both.push_back(static_cast<float>(p.doubles(loss, 1)[0]));
    return both;
  });
}

TEST_ON_DEVICES("primitives: attention, on tensor cores where they take it and otherwise") {
  const Pair pair(make);
  for (const int64_t dim : {64, 128, 24}) {
    const int64_t batch = 2, time = 100, heads = 2, width = heads * dim, n = batch * time;
    const Floats x = pair.numbers(n * 3 * width, "qkv"), d = pair.numbers(n * width, "d");
    Floats cosines, sines;
    for (int64_t t = 0; t < time; t++)
      for (int64_t i = 0; i < dim / 2; i++) {
        const double angle = double(t) * std::pow(10000.0, -double(i) / double(dim / 2));
        cosines.push_back(static_cast<float>(std::cos(angle)));
        sines.push_back(static_cast<float>(std::sin(angle)));
      }
    // Roundings of q, k, v, the probabilities and their gradients, and of the results; fp32: sums of 100 and of `dim`.
    pair.compare(pair.isBf16() ? 6 : 64, [&](const Place& p) {
      const auto qkv = p.compute(x), dOut = p.compute(d), c = p.floats(cosines), s = p.floats(sines);
      const Backend::Attention a{batch, time, heads, dim, c.data(), s.data()};
      DeviceBuffer out(p.backend, computeFloats(p.backend, n * width)), dQkv(p.backend, computeFloats(p.backend, n * 3 * width));
      DeviceBuffer saved(p.backend, p.backend.attentionWorkspace(a));
      p.backend.attention({out.data(), n, width}, {qkv.data(), n, 3 * width}, saved.data(), a);
      p.backend.attentionBackward({dQkv.data(), n, 3 * width}, {dOut.data(), n, width}, {out.data(), n, width}, {qkv.data(), n, 3 * width},
                                  saved.data(), a);
      Floats both = p.read(out, n * width);
      for (const float v : p.read(dQkv, n * 3 * width)) both.push_back(v);
      return both;
    });
  }
}

}  // namespace muonscope::test
