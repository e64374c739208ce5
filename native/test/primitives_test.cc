// Products, Newton–Schulz and the optimizer's passes of a device against the CPU's.
#include "test/primitives_fixture.h"

namespace muonscope::test {
namespace {

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
    const auto x = p.floats(a);
    const auto eigenvalues = p.backend.gramEigenvalues({x.data(), rows, cols});
    return Floats(eigenvalues->get().begin(), eigenvalues->get().end());
  });
}

}  // namespace muonscope::test
