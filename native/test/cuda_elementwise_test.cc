// The CUDA backend's element-wise passes against the same formulas in fp64, on the host: at sizes that end within a pack of
// four, a block and a grid, at addresses that are no multiple of 16 bytes, and with more matrices than one launch takes.
#include "test/cuda_arrays.h"
#include "test/emulated_cuda.h"

namespace muonscope::test {
namespace {

const std::vector<int64_t> sizes = {0, 1, 3, 4, 1023, 4096, 70001};

// test(n, offsets of three arrays) for every size, with all arrays aligned and with one that is not.
template <class Body>
void eachPlace(const Body& body) {
  for (const int64_t n : sizes)
    for (int64_t odd = 0; odd < 4; odd++) body(n, odd == 1, odd == 2 ? 2 : 0, odd == 3 ? 3 : 0);
}

TEST("cuda elementwise: axpby, in place and with b = 0") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  eachPlace([&](int64_t n, int64_t atX, int64_t atY, int64_t) {
    const std::vector<float> x = manySizes(n, "x"), y = manySizes(n, "y");
    const auto run = [&](float a, float b, const std::vector<float>& before) {
      const Placed px(*backend, x, atX), py(*backend, before, atY);
      backend->axpby(py.data(), px.data(), a, b, n);
      CHECK(px.download() == x);
      return py.download();
    };
    const std::vector<float> sum = run(0.7f, -1.3f, y), product = run(0.7f, 0, std::vector<float>(x.size(), NAN));
    const Placed inPlace(*backend, x, atX);
    backend->axpby(inPlace.data(), inPlace.data(), 3, 0, n);
    const std::vector<float> tripled = inPlace.download();
    for (size_t i = 0; i < x.size(); i++) {
      const double ax = double(0.7f) * x[i], by = double(-1.3f) * y[i];
      checkRounded(sum[i], ax + by, std::abs(ax) + std::abs(by), 2);  // both products, or one of them and the sum
      checkRounded(product[i], ax, std::abs(ax), 1);
      checkRounded(tripled[i], 3.0 * x[i], 3.0 * std::abs(x[i]), 1);
    }
  });
}

TEST("cuda elementwise: scaled, divideByRoot, lerpSquare") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  eachPlace([&](int64_t n, int64_t atX, int64_t atY, int64_t atS) {
    const std::vector<float> x = manySizes(n, "x");
    std::vector<float> s = randomFloats(n, "s");
    for (float& value : s) value *= value;
    const Placed px(*backend, x, atX), factor(*backend, {0.3f}), ps(*backend, s, atS);
    const Placed scaled(*backend, x, atY), divided(*backend, x, atY);
    backend->scaled(scaled.data(), px.data(), -1.7f, factor.data(), n);
    backend->divideByRoot(divided.data(), px.data(), ps.data(), 1e-3f, n);
    const std::vector<float> z = scaled.download(), q = divided.download();
    const std::vector<float> small = randomFloats(n, "small", 1e-3);
    const Placed pSmall(*backend, small, atX);
    backend->lerpSquare(ps.data(), pSmall.data(), 0.05f, n);
    const std::vector<float> mean = ps.download();
    for (size_t i = 0; i < x.size(); i++) {
      const double product = double(-1.7f) * double(0.3f) * x[i], quotient = x[i] / (std::sqrt(double(s[i])) + double(1e-3f));
      checkRounded(z[i], product, std::abs(product), 2);
      checkRounded(q[i], quotient, std::abs(quotient), 3.01);  // root, sum and quotient
      const double square = double(small[i]) * small[i], w = double(0.05f);
      checkRounded(mean[i], s[i] + w * (square - s[i]), s[i] + 3 * w * (square + s[i]), 1.01);
    }
  });
}

// count matrices that lie anywhere, each at an offset of its own.
struct Scattered {
  std::vector<Placed> parts;
  ScatteredBatch batch;

  Scattered(Backend& backend, int64_t count, int64_t rows, int64_t cols, const std::string& name) : batch{{}, rows, cols} {
    parts.reserve(static_cast<size_t>(count));
    for (int64_t k = 0; k < count; k++) {
      parts.emplace_back(backend, randomFloats(rows * cols, name + std::to_string(k)), k % 8 < 4 ? 0 : k % 4);
      batch.data.push_back(parts.back().data());
    }
  }
};

// test(count, rows, cols, floats between matrices)
template <class Body>
void eachBatch(const Body& body) {
  body(0, 3, 5, 0);
  body(2, 0, 5, 0);
  body(1, 1, 1, 0);
  body(5, 1, 4099, 0);
  body(9, 37, 41, 3);
  body(300, 4, 8, 0);
  body(257, 5, 3, 1);
}

TEST("cuda elementwise: momentum, with and without Nesterov") {
  const auto backend = makeEmulatedCudaBackend("bf16");
  eachBatch([&](int64_t count, int64_t rows, int64_t cols, int64_t gap) {
    for (const bool nesterov : {false, true}) {
      const Scattered m(*backend, count, rows, cols, "m"), g(*backend, count, rows, cols, "g");
      const int64_t n = rows * cols, stride = n + gap;
      std::vector<std::vector<float>> before;
      for (const Placed& part : m.parts) before.push_back(part.download());
      const Placed u(*backend, std::vector<float>(static_cast<size_t>(count * stride), 5.5f));
      const float beta = 0.95f;
      backend->momentum({u.data(), count, rows, cols, stride}, m.batch, g.batch, beta, nesterov);
      const std::vector<float> updates = u.download();
      for (int64_t k = 0; k < count; k++) {
        const auto matrix = static_cast<size_t>(k);
        const std::vector<float> mean = m.parts[matrix].download(), gradient = g.parts[matrix].download();
        for (int64_t i = 0; i < stride; i++) {
          const float update = updates[static_cast<size_t>(k * stride + i)];
          if (i >= n) {
            CHECK_EQ(update, 5.5f);
            continue;
          }
          const double old = double(beta) * before[matrix][static_cast<size_t>(i)];
          const double fresh = (1 - double(beta)) * gradient[static_cast<size_t>(i)];
          const double size = std::abs(old) + std::abs(fresh), expected = old + fresh;
          checkRounded(mean[static_cast<size_t>(i)], expected, size, 3);  // 1 − beta, a product, the sum
          if (nesterov)
            checkRounded(update, fresh + double(beta) * expected, std::abs(fresh) + size, 6);
          else
            CHECK_EQ(update, mean[static_cast<size_t>(i)]);
        }
      }
    }
  });
}

TEST("cuda elementwise: decay and update of many matrices") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  eachBatch([&](int64_t count, int64_t rows, int64_t cols, int64_t gap) {
    const Scattered w(*backend, count, rows, cols, "w");
    const int64_t n = rows * cols, stride = n + gap;
    const std::vector<float> updates = randomFloats(count * stride, "u"), scales = randomFloats(count, "scale");
    const Placed u(*backend, updates), scale(*backend, scales);
    std::vector<std::vector<float>> before;
    for (const Placed& part : w.parts) before.push_back(part.download());
    backend->decayAndUpdate(w.batch, {u.data(), count, rows, cols, stride}, 1e-5f, 0.02f, scale.data());
    CHECK(u.download() == updates);
    for (int64_t k = 0; k < count; k++) {
      const std::vector<float> after = w.parts[static_cast<size_t>(k)].download();
      for (int64_t i = 0; i < n; i++) {
        const double weight = before[static_cast<size_t>(k)][static_cast<size_t>(i)], decay = double(1e-5f) * weight;
        const double step = double(0.02f) * scales[static_cast<size_t>(k)] * updates[static_cast<size_t>(k * stride + i)];
        // One rounding of the result, three of the step: its factor, its product, and its sum with the decay.
        const double size = std::abs(weight) + 4 * (std::abs(step) + std::abs(decay));
        checkRounded(after[static_cast<size_t>(i)], weight - decay - step, size, 1.01);
      }
    }
  });
}

TEST("cuda elementwise: AdamW in its first and in a late step") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  for (const int64_t step : {1, 1000})
    eachPlace([&](int64_t n, int64_t atW, int64_t atM, int64_t atG) {
      const std::vector<float> w = randomFloats(n, "w"), m = randomFloats(n, "m", 1e-3), g = randomFloats(n, "g", 1e-3);
      std::vector<float> s = randomFloats(n, "s", 1e-3);
      for (float& value : s) value *= value;
      const Placed pw(*backend, w, atW), pm(*backend, m, atM), ps(*backend, s), pg(*backend, g, atG);
      const Backend::AdamW p = {1e-2f, 0.9f, 0.95f, 1e-8f, 0.1f, step};
      backend->adamw(pw.data(), pm.data(), ps.data(), pg.data(), p, n);
      const std::vector<float> weight = pw.download(), mean = pm.download(), square = ps.download();
      CHECK(pg.download() == g);
      // As the interface takes them: 1 − beta is formed in fp32, the corrections of bias in fp64.
      const double gain1 = 1 - p.beta1, gain2 = 1 - p.beta2;
      const double correction1 = 1 - std::pow(double(p.beta1), double(step));
      const double correction2 = 1 - std::pow(double(p.beta2), double(step));
      for (size_t i = 0; i < w.size(); i++) {
        const double first = p.beta1 * double(m[i]) + gain1 * g[i], second = p.beta2 * double(s[i]) + gain2 * g[i] * g[i];
        const double firstSize = p.beta1 * std::abs(m[i]) + gain1 * std::abs(g[i]);
        checkRounded(mean[i], first, firstSize, 3);
        checkRounded(square[i], second, second, 4);
        const double divisor = std::sqrt(second / correction2) + p.eps;
        const double decay = double(p.lr) * p.weightDecay * w[i], update = p.lr / correction1 * first / divisor;
        // The mean's three roundings and ten of the quotient: the factor, its product, half of the square's four, the root, its
        // factor and product, the sum, the quotient, the sum with the decay.
        const double size = p.lr / correction1 * firstSize / divisor;
        checkRounded(weight[i], w[i] - decay - update, std::abs(w[i]) + 13 * size + 3 * std::abs(decay), 1.01);
      }
    });
}

}  // namespace
}  // namespace muonscope::test
