// The CUDA backend's sums of squares, and what is made of them, against fp64 on the host.
#include <array>

#include "test/cuda_arrays.h"
#include "test/emulated_cuda.h"

namespace muonscope::test {
namespace {

double squaresOf(const std::vector<float>& x) {
  long double sum = 0;
  for (const float value : x) sum += static_cast<long double>(value) * value;
  return static_cast<double>(sum);
}

// Squares of floats are exact in fp64, so what remains is one rounding for each of the 64 levels at most at which a number is
// added: 32 in a thread's packs, 2·5 in two warps, and the partial sums (below 22 for all sizes here).
constexpr double sumTolerance = 64 * 0x1p-53;

TEST("cuda sums: squares of a batch, in every order of threads and wherever it lies") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  const std::vector<std::array<int64_t, 4>> cases = {{0, 3, 3, 0},    {2, 0, 5, 0},    {1, 1, 1, 0},   {3, 1, 30001, 0},
                                                     {3, 8191, 1, 5}, {2, 64, 128, 0}, {4, 37, 41, 1}, {70, 3, 5, 0}};
  for (const auto& [count, rows, cols, gap] : cases) {
    const int64_t n = rows * cols, stride = n + gap;
    std::vector<float> x = manySizes(count * stride, "sums");
    if (count > 2) std::fill(x.begin() + stride, x.begin() + stride + n, 0.0f);
    std::vector<double> aligned;
    for (int64_t offset = 0; offset < 4; offset++) {
      const Placed device(*backend, x, offset);
      const std::vector<double> sums = inEveryOrder([&] {
        const Doubles out(*backend, count);
        backend->sumSquares(out.data(), Batch{device.data(), count, rows, cols, stride});
        return out.read();
      });
      if (offset == 0) aligned = sums;
      CHECK(sums == aligned);
      for (int64_t k = 0; k < count; k++) {
        const double expected = squaresOf({x.begin() + k * stride, x.begin() + k * stride + n});
        CHECK_LE(std::abs(sums[static_cast<size_t>(k)] - expected), sumTolerance * expected);
      }
    }
  }
}

// Matrices of all kinds of sizes, some empty, at all kinds of addresses.
struct Many {
  std::vector<Placed> parts;
  std::vector<Matrix> matrices;

  Many(Backend& backend, int64_t count) {
    parts.reserve(static_cast<size_t>(count));
    for (int64_t k = 0; k < count; k++) {
      const int64_t rows = k % 5 * 3, cols = k % 50 == 1 ? 8192 : 1 + k % 7;
      parts.emplace_back(backend, randomFloats(rows * cols, "many" + std::to_string(k)), k % 4);
      matrices.push_back({parts.back().data(), rows, cols});
    }
  }
};

TEST("cuda sums: squares of matrices of different sizes, more than one launch takes") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  for (const int64_t count : {0, 1, 2, 127, 128, 300}) {
    const Many many(*backend, count);
    const std::vector<double> sums = inEveryOrder([&] {
      const Doubles out(*backend, count);
      backend->sumSquares(out.data(), many.matrices);
      return out.read();
    });
    for (size_t k = 0; k < sums.size(); k++) {
      const double expected = squaresOf(many.parts[k].download());
      CHECK_LE(std::abs(sums[k] - expected), sumTolerance * expected);
    }
  }
}

TEST("cuda sums: a number that is not finite shows in the sum") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  std::vector<float> x(9000, 1.0f);
  for (const float value : {INFINITY, -INFINITY, NAN}) {
    x[8999] = value;
    const Placed device(*backend, x);
    const Doubles out(*backend, 1);
    backend->sumSquares(out.data(), Batch{device.data(), 1, 90, 100, 9000});
    CHECK(!std::isfinite(out.read()[0]));
  }
  std::fill(x.begin(), x.end(), 3e38f);
  const Placed device(*backend, x);
  const Doubles out(*backend, 1);
  backend->sumSquares(out.data(), Batch{device.data(), 1, 90, 100, 9000});
  CHECK_LE(std::abs(out.read()[0] / squaresOf(x) - 1), sumTolerance);
}

TEST("cuda sums: addDoubles and updateScale") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  for (const int64_t n : {0, 1, 255, 5000}) {
    const std::vector<double> a = toDouble(randomFloats(n, "a")), b = toDouble(randomFloats(n, "b"));
    const Doubles y(*backend, a), x(*backend, b);
    backend->addDoubles(y.data(), x.data(), n);
    const std::vector<double> sum = y.read();
    for (size_t i = 0; i < sum.size(); i++) CHECK_EQ(sum[i], a[i] + b[i]);

    std::vector<double> before, after;
    for (int64_t i = 0; i < n; i++) {
      before.push_back(std::pow(10.0, double(i % 90) - 60));
      after.push_back(i % 3 == 0 ? 0 : std::pow(10.0, double(i % 70) - 50));
    }
    const Doubles pBefore(*backend, before), pAfter(*backend, after);
    const std::vector<float> nothing(static_cast<size_t>(n), NAN);
    const Placed scale(*backend, nothing), scaleOfOne(*backend, nothing);
    backend->updateScale(scale.data(), pBefore.data(), pAfter.data(), 0.2, n);
    backend->updateScale(scaleOfOne.data(), nullptr, pAfter.data(), 0.2, n);
    const std::vector<float> scales = scale.download(), scalesOfOne = scaleOfOne.download();
    for (size_t i = 0; i < after.size(); i++) {
      const double one = after[i] > 0 ? 0.2 / std::sqrt(after[i]) : 0, expected = one * std::sqrt(before[i]);
      // The rounding to fp32, beside which those in fp64 are small.
      checkRounded(scalesOfOne[i], one, one, 1.01);
      checkRounded(scales[i], expected, expected, 1.01);
    }
  }
}

TEST("cuda sums: gradients are clipped above the limit and not written below") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  for (const int64_t count : {0, 1, 300}) {
    const std::vector<double> squares = {9, 7, 0, 3, 6};  // of norm 5
    for (const double limit : {2.0, 4.999, 5.0, 1e9}) {
      const Many many(*backend, count);
      std::vector<std::vector<float>> before;
      for (const Placed& part : many.parts) before.push_back(part.download());
      const Doubles device(*backend, squares);
      backend->clip(many.matrices, device.data(), 5, limit);
      for (size_t k = 0; k < before.size(); k++) {
        const std::vector<float> after = many.parts[k].download();
        if (limit >= 5) CHECK(after == before[k]);
        for (size_t i = 0; i < after.size() && limit < 5; i++) {
          const double expected = limit / (5 + 1e-6) * before[k][i];
          checkRounded(after[i], expected, std::abs(expected), 2.01);  // of the factor and the product
        }
      }
    }
  }
  // What is not a number stays visible.
  const Placed gradient(*backend, {1, 2, 3});
  const Doubles squares(*backend, std::vector<double>{NAN});
  backend->clip({{gradient.data(), 1, 3}}, squares.data(), 1, 1);
  CHECK(std::isnan(gradient.download()[1]));
}

}  // namespace
}  // namespace muonscope::test
