// Newton–Schulz against the scalar polynomials: on diagonal matrices each singular value goes its own way.
#include "core/newton_schulz.h"

#include <map>

#include "test/backends.h"
#include "test/numeric.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

const NewtonSchulzScheme& scheme(const std::string& id) {
  for (const NewtonSchulzScheme& candidate : newtonSchulzSchemes())
    if (candidate.id == id) return candidate;
  throw std::runtime_error("no scheme " + id);
}

std::vector<float> orthogonalize(const MakeBackend& make, const std::vector<float>& x, int64_t rows, int64_t cols, const NewtonSchulzScheme& scheme, NewtonSchulzForm form) {
  const auto backend = make();
  DeviceBuffer buffer(*backend, rows * cols);
  backend->upload(buffer.data(), x.data(), rows * cols);
  NewtonSchulz(*backend).orthogonalize({buffer.data(), 1, rows, cols, rows * cols}, scheme, form);
  return buffer.download();
}

// The scheme's polynomial of one singular value, relative to the Frobenius norm.
double scalar(double sigma, const NewtonSchulzScheme& scheme) {
  double x = sigma / scheme.safety;
  for (const auto& [a, b, c] : scheme.steps) x = x * (a + x * x * (b + x * x * c));
  return x;
}

const std::vector<NewtonSchulzForm> forms = {NewtonSchulzForm::direct, NewtonSchulzForm::gram};

// A [8, 20] or [20, 8] matrix with singular values from the golden table and one that makes the Frobenius norm 1.
const std::vector<double> sigmas = {.5, .1, .03, .01, .003, .001, .0003};

std::vector<float> diagonal(int64_t rows, int64_t cols) {
  std::vector<float> x(static_cast<size_t>(rows * cols));
  double rest = 1;
  for (size_t i = 0; i < sigmas.size(); ++i) {
    x[i * static_cast<size_t>(cols) + i] = static_cast<float>(sigmas[i]);
    rest -= sigmas[i] * sigmas[i];
  }
  x[7 * static_cast<size_t>(cols) + 7] = static_cast<float>(std::sqrt(rest));
  return x;
}

// golden[scheme] = f(1), then f of each of `sigmas`, in exact arithmetic.
const std::map<std::string, std::vector<double>> golden = {
    {"kj5", {.696436, .765439, .712120, 1.122332, .698917, 1.110357, .470544, .145071}},
    {"quintic5", {.978346, .985869, 1.019050, .985689, 1.018025, 1.075139, .474982, .147335}},
    {"polar-express", {.903537, 1.086403, 1.016459, 1.108276, .996775, .979348, .846647, .287462}},
};

TEST_ON_BACKENDS("newton-schulz: diagonal matrices reproduce the golden scalar table") {
  for (const auto& [id, expected] : golden)
    for (const NewtonSchulzForm form : forms) {
      CHECK_LE(std::abs(orthogonalize(make, {3}, 1, 1, scheme(id), form)[0] - expected[0]), 1e-5);
      for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{{8, 20}, {20, 8}}) {
        const std::vector<float> result = orthogonalize(make, diagonal(rows, cols), rows, cols, scheme(id), form);
        for (size_t i = 0; i < sigmas.size(); ++i)
          CHECK_LE(std::abs(result[i * static_cast<size_t>(cols) + i] - expected[i + 1]), 5e-5 * expected[i + 1]);
      }
    }
}

TEST_ON_BACKENDS("newton-schulz: every scheme in both forms is its polynomial") {
  for (const NewtonSchulzScheme& s : newtonSchulzSchemes())
    for (const NewtonSchulzForm form : forms) {
      const std::vector<float> result = orthogonalize(make, diagonal(8, 20), 8, 20, s, form);
      for (size_t i = 0; i < sigmas.size(); ++i) CHECK_LE(std::abs(result[i * 20 + i] - scalar(sigmas[i], s)), 1e-4 * scalar(sigmas[i], s));
    }
}

TEST_ON_BACKENDS("newton-schulz: the transpose's result is the result's transpose") {
  for (const NewtonSchulzScheme& s : newtonSchulzSchemes())
    for (const NewtonSchulzForm form : forms) {
      const int64_t rows = 24, cols = 70;
      const std::vector<float> x = unevenMatrix(rows, cols, "transpose");
      std::vector<float> xt(x.size()), back(x.size());
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) xt[static_cast<size_t>(j * rows + i)] = x[static_cast<size_t>(i * cols + j)];
      const std::vector<float> o = orthogonalize(make, x, rows, cols, s, form), ot = orthogonalize(make, xt, cols, rows, s, form);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) back[static_cast<size_t>(i * cols + j)] = ot[static_cast<size_t>(j * rows + i)];
      CHECK_LE(relativeError(back, o), 5e-5);
    }
}

TEST_ON_BACKENDS("newton-schulz: both forms agree on large matrices, alone and in batches") {
  const auto backend = make();
  const int64_t rows = 64, cols = 200, size = rows * cols, count = 3;
  for (const NewtonSchulzScheme& s : newtonSchulzSchemes()) {
    std::vector<float> all;
    for (int i = 0; i < count; ++i) {
      const std::vector<float> one = unevenMatrix(rows, cols, "batch" + std::to_string(i));
      all.insert(all.end(), one.begin(), one.end());
    }
    DeviceBuffer batch(*backend, count * size);
    backend->upload(batch.data(), all.data(), count * size);
    NewtonSchulz(*backend).orthogonalize({batch.data(), count, rows, cols, size}, s, NewtonSchulzForm::gram);
    const std::vector<float> result = batch.download();
    for (int i = 0; i < count; ++i) {
      const std::vector<float> one(all.begin() + i * size, all.begin() + (i + 1) * size);
      const std::vector<float> part(result.begin() + i * size, result.begin() + (i + 1) * size);
      CHECK_LE(relativeError(part, orthogonalize(make, one, rows, cols, s, NewtonSchulzForm::direct)), 1e-4);
    }
  }
}

TEST_ON_BACKENDS("newton-schulz: zero stays zero, and scale does not matter") {
  for (const NewtonSchulzForm form : forms) {
    for (const float value : orthogonalize(make, std::vector<float>(12 * 30), 12, 30, scheme("kj5"), form)) CHECK_EQ(value, 0.f);
    const std::vector<float> x = unevenMatrix(12, 30, "scale");
    const std::vector<float> o = orthogonalize(make, x, 12, 30, scheme("polar-express"), form);
    // Powers of two, so that the scaled matrices hold the same digits; about 1e-24 to 1e24.
    for (const int power : {-80, -30, 30, 80}) {
      std::vector<float> scaled;
      for (const float value : x) scaled.push_back(std::ldexp(value, power));
      CHECK(orthogonalize(make, scaled, 12, 30, scheme("polar-express"), form) == o);
    }
  }
}

}  // namespace
}  // namespace muonscope::test
