// Every primitive of a device against the CPU's, on the same numbers: inputs of the compute type are rounded to it first on
// both sides, so that what is left is the rounding of results and of the order of sums.
#include <cmath>
#include <cstring>

#include "core/device_buffer.h"
#include "test/backends.h"
#include "test/numeric.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

using Floats = std::vector<float>;

// To bf16, to nearest, ties to even.
float roundToBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

// One backend with matrices in its memory, filled and read from the host.
class Place {
 public:
  explicit Place(Backend& backend) : backend(backend) {}

  DeviceBuffer floats(const Floats& values) const {
    DeviceBuffer buffer(backend, static_cast<int64_t>(values.size()));
    backend.upload(buffer.data(), values.data(), buffer.size());
    return buffer;
  }
  // Numbers of the compute type; `values` must be of it already.
  DeviceBuffer compute(const Floats& values) const {
    const auto n = static_cast<int64_t>(values.size());
    const DeviceBuffer wide = floats(values);
    DeviceBuffer buffer(backend, computeFloats(backend, n));
    backend.toCompute({buffer.data(), 1, n}, {wide.data(), 1, n});
    return buffer;
  }
  Floats read(const DeviceBuffer& compute, int64_t n) const {
    DeviceBuffer wide(backend, n);
    backend.fromCompute({wide.data(), 1, 1, n, n}, {compute.data(), 1, 1, n});
    return wide.download();
  }
  DeviceBuffer tokens(const std::vector<int32_t>& ids) const {
    DeviceBuffer buffer(backend, static_cast<int64_t>(ids.size()));
    backend.upload(buffer.data(), reinterpret_cast<const float*>(ids.data()), buffer.size());
    return buffer;
  }
  std::vector<double> doubles(const DeviceBuffer& buffer, int64_t n) const {
    std::vector<double> values(static_cast<size_t>(n));
    backend.read(values.data(), buffer.doubles(), n);
    return values;
  }

  Backend& backend;
};

const int32_t* ids(const DeviceBuffer& buffer) { return reinterpret_cast<const int32_t*>(buffer.data()); }

// Runs `work` on the device and on the CPU; `work(place)` returns the floats to compare.
class Pair {
 public:
  explicit Pair(const MakeBackend& make) : device_(make()), cpu_(makeCpuBackend({2})) {}

  // Random numbers of the compute type.
  Floats numbers(int64_t n, const std::string& name) const {
    Floats values = randomFloats(n, name);
    if (isBf16())
      for (float& x : values) x = roundToBf16(x);
    return values;
  }
  bool isBf16() const { return device_->info().computeBytes == 2; }
  // In units of the compute type's relative rounding error: 2^-24 (fp32), 2^-9 (bf16).
  template <class Work>
  void compare(double roundings, const Work& work) const {
    const double unit = isBf16() ? 0x1p-9 : 0x1p-24;
    compareWithin(roundings * unit, work);
  }
  // For what is fp32 throughout.
  template <class Work>
  void compareFp32(double roundings, const Work& work) const {
    compareWithin(roundings * 0x1p-24, work);
  }

 private:
  template <class Work>
  void compareWithin(double tolerance, const Work& work) const {
    const Floats got = work(Place(*device_)), expected = work(Place(*cpu_));
    CHECK_EQ(got.size(), expected.size());
    CHECK_LE(relativeError(got, expected), tolerance);
  }
  std::unique_ptr<Backend> device_, cpu_;
};

constexpr int64_t rows = 70, cols = 136, count = 3;

}  // namespace

TEST_ON_DEVICES("primitives: products") {
  const Pair pair(make);
  const Floats a = pair.numbers(rows * cols, "a"), b = pair.numbers(rows * cols, "b"), c = pair.numbers(rows * rows, "c");
  // Sums of 136 products: their rounding in fp32 grows with the root of that; one rounding of the result.
  pair.compare(16, [&](const Place& p) {
    const auto x = p.compute(a), y = p.compute(b);
    DeviceBuffer d(p.backend, computeFloats(p.backend, rows * rows));
    p.backend.matmul(ComputeMatrix{d.data(), rows, rows}, {x.data(), rows, cols}, false, {y.data(), rows, cols}, true);
    return p.read(d, rows * rows);
  });
  pair.compare(16, [&](const Place& p) {
    const auto x = p.compute(a), y = p.compute(b), z = p.compute(c);
    DeviceBuffer d(p.backend, computeFloats(p.backend, rows * rows));
    p.backend.matmulAdd({d.data(), rows, rows}, {z.data(), rows, rows}, {x.data(), rows, cols}, false, {y.data(), rows, cols}, true);
    return p.read(d, rows * rows);
  });
  pair.compareFp32(32, [&](const Place& p) {
    const auto x = p.compute(a), y = p.compute(b);
    const auto d = p.floats(Floats(cols * cols, 0.5f));
    p.backend.matmul(Matrix{d.data(), cols, cols}, {x.data(), rows, cols}, true, {y.data(), rows, cols}, false, 2, 3);
    return d.download();
  });
}

TEST_ON_DEVICES("primitives: what Newton–Schulz is made of") {
  const Pair pair(make);
  const Floats a = pair.numbers(count * rows * cols, "a"), s = pair.numbers(count * rows * rows, "s");
  Floats symmetric(s.size());
  for (int64_t i = 0; i < count; i++)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t q = 0; q < rows; q++) symmetric[(i * rows + r) * rows + q] = s[(i * rows + std::max(r, q)) * rows + std::min(r, q)];
  for (const Side side : {Side::rows, Side::columns})
    pair.compare(16, [&](const Place& p) {
      const int64_t n = side == Side::rows ? rows : cols;
      const auto x = p.compute(a);
      DeviceBuffer g(p.backend, computeFloats(p.backend, count * n * n));
      p.backend.gram({g.data(), count, n, n}, {x.data(), count, rows, cols}, side);
      return p.read(g, count * n * n);
    });
  pair.compare(16, [&](const Place& p) {
    const auto x = p.compute(symmetric);
    DeviceBuffer z(p.backend, computeFloats(p.backend, count * rows * rows));
    p.backend.polynomial({z.data(), count, rows, rows}, {x.data(), count, rows, rows}, 3.4445, -4.775, 2.0315);
    return p.read(z, count * rows * rows);
  });
  pair.compare(16, [&](const Place& p) {
    const auto x = p.compute(symmetric);
    DeviceBuffer z(p.backend, computeFloats(p.backend, count * rows * rows));
    p.backend.symmetric({z.data(), count, rows, rows}, {x.data(), count, rows, rows}, {x.data(), count, rows, rows});
    return p.read(z, count * rows * rows);
  });
  pair.compare(16, [&](const Place& p) {
    const auto x = p.compute(symmetric), y = p.compute(a);
    DeviceBuffer z(p.backend, computeFloats(p.backend, count * rows * cols));
    p.backend.multiply({z.data(), count, rows, cols}, {x.data(), count, rows, rows}, {y.data(), count, rows, cols});
    return p.read(z, count * rows * cols);
  });
  pair.compare(2, [&](const Place& p) {
    const auto x = p.floats(a);
    DeviceBuffer z(p.backend, computeFloats(p.backend, count * rows * cols));
    p.backend.normalize(ComputeBatch{z.data(), count, rows, cols}, Batch{x.data(), count, rows, cols, rows * cols}, 1.01, 1e-30);
    return p.read(z, count * rows * cols);
  });
}

TEST_ON_DEVICES("primitives: the optimizer's passes") {
  const Pair pair(make);
  const int64_t n = count * rows * cols;
  const Floats a = randomFloats(n, "a"), b = randomFloats(n, "b"), c = randomFloats(n, "c");
  Floats positive = randomFloats(n, "positive");
  for (float& x : positive) x = x * x + 0.1f;
  const auto batch = [](const DeviceBuffer& x) { return Batch{x.data(), count, rows, cols, rows * cols}; };
  const auto scattered = [](const DeviceBuffer& x) {
    ScatteredBatch all{{}, rows, cols};
    for (int64_t i = 0; i < count; i++) all.data.push_back(x.data() + i * rows * cols);
    return all;
  };
  const auto joined = [](std::initializer_list<const DeviceBuffer*> buffers) {
    Floats all;
    for (const DeviceBuffer* buffer : buffers)
      for (const float x : buffer->download()) all.push_back(x);
    return all;
  };
  for (const bool nesterov : {false, true})
    pair.compareFp32(4, [&](const Place& p) {
      const auto u = p.floats(c), m = p.floats(a), g = p.floats(b);
      p.backend.momentum(batch(u), scattered(m), scattered(g), 0.95f, nesterov);
      return joined({&u, &m});
    });
  pair.compareFp32(4, [&](const Place& p) {
    const auto x = p.floats(a), v = p.floats(Floats(positive.begin(), positive.begin() + count * rows));
    p.backend.normalizeRows(batch(x), v.data(), 0.95f, 1e-8f, true);
    return joined({&x, &v});
  });
  pair.compareFp32(4, [&](const Place& p) {
    const auto x = p.floats(a), s = p.floats(Floats(count * cols)), r = p.floats(Floats(count * rows));
    p.backend.columnMeanSquare(s.data(), batch(x));
    p.backend.rowMeanSquare(r.data(), batch(x));
    p.backend.scaleColumns(batch(x), s.data(), 1e-8f);
    return joined({&x, &s, &r});
  });
  pair.compareFp32(4, [&](const Place& p) {
    const auto x = p.floats(a), y = p.floats(b), s = p.floats(positive);
    p.backend.lerpSquare(s.data(), x.data(), 0.05f, n);
    p.backend.divideByRoot(y.data(), x.data(), s.data(), 1e-8f, n);
    p.backend.axpby(x.data(), y.data(), 2, -0.5f, n);
    return joined({&x, &y, &s});
  });
  pair.compareFp32(4, [&](const Place& p) {
    const auto w = p.floats(a), m = p.floats(b), s = p.floats(positive), g = p.floats(c);
    p.backend.adamw(w.data(), m.data(), s.data(), g.data(), {0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, 3}, n);
    return joined({&w, &m, &s});
  });
  pair.compareFp32(4, [&](const Place& p) {
    const auto w = p.floats(a), u = p.floats(b), y = p.floats(c), clipped = p.floats(c);
    DeviceBuffer squares(p.backend, 2 * count), before(p.backend, 2 * count), scale(p.backend, count);
    p.backend.sumSquares(squares.doubles(), batch(u));
    p.backend.sumSquares(before.doubles(), std::vector<Matrix>{batch(w)[0], batch(w)[1], batch(w)[2]});
    p.backend.addDoubles(before.doubles(), squares.doubles(), count);
    p.backend.updateScale(scale.data(), before.doubles(), squares.doubles(), 0.2, count);
    p.backend.scaled(y.data(), u.data(), 0.5f, scale.data() + 1, rows * cols);
    p.backend.decayAndUpdate(scattered(w), batch(u), 0.001f, 0.01f, scale.data());
    p.backend.clip({batch(clipped)[0], batch(clipped)[1], batch(clipped)[2]}, squares.doubles(), count, 1);
    return joined({&w, &y, &clipped, &scale});
  });
  pair.compareFp32(2, [&](const Place& p) {
    std::vector<double> values(rows);
    const auto x = p.floats(a);
    p.backend.gramEigenvalues(values.data(), {x.data(), rows, cols});
    return Floats(values.begin(), values.end());
  });
}

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
