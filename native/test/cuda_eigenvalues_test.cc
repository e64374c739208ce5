// Eigenvalues of Gram matrices by the CUDA backend: against those of a Gram matrix that the test forms in fp64, and where they
// are known.
#include "test/cuda_arrays.h"
#include "test/emulated_cuda.h"

namespace muonscope::test {
namespace {

const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 1},   {1, 50},  {50, 1},  {31, 70}, {70, 31},
                                                         {32, 64}, {33, 33}, {65, 40}, {97, 130}};

TEST("cuda eigenvalues: of wide, tall and square matrices, in every order of threads") {
  const auto backend = makeEmulatedCudaBackend("bf16");
  for (const auto& [rows, cols] : shapes) {
    const std::vector<float> x = randomFloats(rows * cols, "gram");
    const int64_t size = std::min(rows, cols), longer = std::max(rows, cols);
    const int64_t down = rows <= cols ? cols : 1, along = rows <= cols ? 1 : cols;
    const auto at = [&](int64_t i, int64_t d) { return double(x[static_cast<size_t>(i * down + d * along)]); };
    std::vector<double> gram(static_cast<size_t>(size * size)), expected(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; i++)
      for (int64_t j = 0; j < size; j++)
        for (int64_t d = 0; d < longer; d++) gram[static_cast<size_t>(i * size + j)] += at(i, d) * at(j, d);
    symmetricEigenvalues(expected.data(), gram.data(), size);
    const Placed device(*backend, x, rows % 4);
    const std::vector<double> values = inEveryOrder([&] { return backend->gramEigenvalues({device.data(), rows, cols})->get(); });
    // Sums of `longer` products, each of which is exact, and a solver that is backward stable: both, on both sides, are off by
    // parts of the largest eigenvalue.
    const double tolerance = 2 * double(longer + size) * 0x1p-53 * expected.back();
    for (size_t i = 0; i < values.size(); i++) CHECK_LE(std::abs(values[i] - expected[i]), tolerance);
  }
}

TEST("cuda eigenvalues: small singular values beside large ones, zeros, and nothing at all") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  std::vector<float> x(40 * 60);
  for (size_t i = 0; i < 40; i++) x[i * 60 + i] = i < 10 ? 0 : std::ldexp(1.0f, static_cast<int>(i) - 30);
  const Placed device(*backend, x);
  const std::vector<double> values = backend->gramEigenvalues({device.data(), 40, 60})->get();
  for (size_t i = 0; i < 40; i++) {
    const double expected = i < 10 ? 0 : std::ldexp(1.0, 2 * (static_cast<int>(i) - 30));
    CHECK_LE(std::abs(values[i] - expected), 40 * 0x1p-53 * 0x1p18);
  }
  CHECK(backend->gramEigenvalues({device.data(), 0, 5})->get().empty());
  CHECK(backend->gramEigenvalues({device.data(), 5, 0})->get().empty());
}

TEST("cuda eigenvalues: all NaN wherever one number is not finite; the largest ones are finite") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{{35, 70}, {70, 35}}) {
    std::vector<float> x(static_cast<size_t>(rows * cols), 3e38f);
    std::vector<double> values = backend->gramEigenvalues({Placed(*backend, x).data(), rows, cols})->get();
    CHECK_LE(std::abs(values[34] / (double(3e38f) * double(3e38f) * double(rows * cols)) - 1), 200 * 0x1p-53);
    for (const float bad : {NAN, INFINITY, -INFINITY})
      for (const size_t at : {size_t{0}, size_t{1000}, x.size() - 1}) {
        const float kept = std::exchange(x[at], bad);
        const Placed device(*backend, x);
        values = backend->gramEigenvalues({device.data(), rows, cols})->get();
        CHECK(std::all_of(values.begin(), values.end(), [](double value) { return std::isnan(value); }));
        x[at] = kept;
      }
  }
}

}  // namespace
}  // namespace muonscope::test
