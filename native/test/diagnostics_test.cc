// Diagnostics of matrices whose values are known.
#include "core/diagnostics.h"

#include <limits>
#include <numeric>

#include "core/diagnostics/diagnostic.h"
#include "test/backends.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Measurement measure(const MakeBackend& make, const std::string& channel, const std::string& tap, Tap shownAt, const std::vector<float>& x, int64_t rows) {
  const auto backend = make();
  const auto diagnostics = makeDiagnostics(*backend);
  DeviceBuffer buffer(*backend, static_cast<int64_t>(x.size()));
  backend->upload(buffer.data(), x.data(), buffer.size());
  diagnostics->request({{channel, tap, "w"}}, 7);
  CHECK(diagnostics->wants(shownAt, "w"));
  diagnostics->show(shownAt, "w", {buffer.data(), rows, buffer.size() / rows});
  const std::vector<Measurement> taken = diagnostics->take(true);
  CHECK_EQ(taken.size(), 1u);
  CHECK_EQ(taken[0].channel, channel);
  CHECK_EQ(taken[0].step, 7);
  CHECK_EQ(taken[0].seconds, diagnostics->seconds());
  CHECK_LE(1e-9, taken[0].seconds);
  return taken[0];
}

double scalar(const MakeBackend& make, const std::string& channel, const std::vector<float>& x, int64_t rows) {
  if (channel == "orthogonality_error") return measure(make, channel, "orthogonalized", Tap::orthogonalized, x, rows).values.at(0);
  return measure(make, channel, "update", Tap::update, x, rows).values.at(0);
}

std::vector<float> diagonal(const std::vector<double>& values, int64_t cols) {
  std::vector<float> x(values.size() * static_cast<size_t>(cols));
  for (size_t i = 0; i < values.size(); ++i) x[i * static_cast<size_t>(cols) + i] = static_cast<float>(values[i]);
  return x;
}

// Rows and columns of a Householder reflection, exact to fp32 rounding.
std::vector<float> orthogonal(int64_t n, const std::string& name) {
  const std::vector<float> v = randomFloats(n, name);
  double square = 0;
  for (const float x : v) square += double(x) * x;
  std::vector<float> q(static_cast<size_t>(n * n));
  for (size_t i = 0; i < v.size(); ++i)
    for (size_t j = 0; j < v.size(); ++j) q[i * v.size() + j] = static_cast<float>((i == j) - 2 * double(v[i]) * v[j] / square);
  return q;
}

TEST_ON_BACKENDS("diagnostics: condition number and spectrum of diagonal matrices, wide and tall") {
  const std::vector<float> wide = diagonal({4, 0.002, 1}, 5);
  std::vector<float> tall(15);
  for (size_t i = 0; i < 3; ++i) tall[i * 3 + i] = wide[i * 5 + i];
  for (const auto& [x, rows] : std::vector<std::pair<std::vector<float>, int64_t>>{{wide, 3}, {tall, 5}}) {
    CHECK_LE(std::abs(scalar(make, "condition_number", x, rows) / 2000 - 1), 1e-6);
    const std::vector<double> spectrum = measure(make, "spectrum", "update", Tap::update, x, rows).values;
    CHECK_EQ(spectrum.size(), 3u);
    CHECK_LE(std::abs(spectrum[0] - 4), 1e-6);
    CHECK_LE(std::abs(spectrum[1] - 1), 1e-6);
    CHECK_LE(std::abs(spectrum[2] - 0.002), 1e-6);
    CHECK_LE(std::abs(scalar(make, "stable_rank", x, rows) - (16 + 1 + 4e-6) / 16), 1e-6);
  }
}

TEST_ON_BACKENDS("diagnostics: condition numbers up to a million are exact, rank-deficient ones infinite") {
  // Hidden from the eigensolver by orthogonal matrices on both sides, in fp64 before rounding to fp32.
  const int64_t n = 96;
  const std::vector<float> left = orthogonal(n, "left"), right = orthogonal(n, "right");
  for (const double kappa : {1e1, 1e3, 1e5}) {
    std::vector<float> x(static_cast<size_t>(n * n));
    for (size_t i = 0; i < 96; ++i)
      for (size_t j = 0; j < 96; ++j) {
        double sum = 0;
        for (size_t k = 0; k < 96; ++k) sum += double(left[i * 96 + k]) * std::pow(kappa, -double(k) / 95) * double(right[k * 96 + j]);
        x[i * 96 + j] = static_cast<float>(sum);
      }
    // Rounding to fp32 moves σ_min by up to about 1e-7·σ_max, 1 % at κ = 1e5.
    CHECK_LE(std::abs(scalar(make, "condition_number", x, n) / kappa - 1), 1e-7 * kappa + 1e-5);
  }
  CHECK_LE(std::abs(scalar(make, "condition_number", diagonal({1, 1e-6}, 2), 2) / 1e6 - 1), 1e-6);
  std::vector<float> twins = randomFloats(20 * 30, "twins");
  std::copy(twins.begin(), twins.begin() + 30, twins.begin() + 30);
  CHECK_EQ(scalar(make, "condition_number", twins, 20), infinity);
  const std::vector<float> a = randomFloats(40, "outer left"), b = randomFloats(50, "outer right");
  std::vector<float> rankOne;
  for (const float x : a)
    for (const float y : b) rankOne.push_back(x * y);
  CHECK_EQ(scalar(make, "condition_number", rankOne, 40), infinity);
  CHECK_EQ(scalar(make, "condition_number", std::vector<float>(12), 3), infinity);
  CHECK_LE(std::abs(scalar(make, "stable_rank", rankOne, 40) - 1), 1e-6);
}

TEST_ON_BACKENDS("diagnostics: an orthogonal matrix has condition 1, full stable rank, equal rows and no orthogonality error") {
  const int64_t n = 600;  // more than one panel of the Gram matrix
  const std::vector<float> q = orthogonal(n, "q");
  CHECK_LE(scalar(make, "condition_number", q, n), 1 + 1e-5);
  CHECK_LE(std::abs(scalar(make, "stable_rank", q, n) / double(n) - 1), 1e-5);
  CHECK_LE(scalar(make, "orthogonality_error", q, n), 1e-5);
  CHECK_LE(scalar(make, "neuron_norm_cv", q, n), 1e-5);
  CHECK_LE(scalar(make, "neuron_norm_max_min", q, n), 1 + 1e-5);
  CHECK_LE(std::abs(scalar(make, "update_rms", q, n) * std::sqrt(double(n)) - 1), 1e-5);
  CHECK_LE(std::abs(scalar(make, "orthogonality_error", diagonal({1, std::sqrt(2.0), 0, 1}, 9), 4) - std::sqrt(0.5)), 1e-6);
}

TEST_ON_BACKENDS("diagnostics: neuron norms are counted where they belong, zeros and outliers included") {
  // Rows of length 1, 2, 4, … relative to their root mean square, one of zeros and one far above.
  const std::vector<double> lengths = {0, 1, 2, 4, 1000};
  const double rms = std::sqrt((1 + 4 + 16 + 1e6) / 5);
  const Measurement m = measure(make, "neuron_norm", "update", Tap::update, diagonal(lengths, 7), 5);
  CHECK_EQ(m.values.size(), 66u);
  CHECK_EQ(m.edges.size(), 67u);
  CHECK_EQ(m.edges.front(), -infinity);
  CHECK_EQ(m.edges[1], -4.0);
  CHECK_EQ(m.edges[65], 4.0);
  CHECK_EQ(m.edges.back(), infinity);
  CHECK_EQ(std::accumulate(m.values.begin(), m.values.end(), 0.0), 5.0);
  CHECK_EQ(m.values.front(), 4.0);  // log2(4/447) = -6.8
  for (size_t bin = 1; bin + 1 < m.values.size(); ++bin) {
    const double x = std::log2(1000 / rms);
    CHECK_EQ(m.values[bin], x >= m.edges[bin] && x < m.edges[bin + 1] ? 1.0 : 0.0);
  }
  CHECK_EQ(m.count, 5.0);
  CHECK_EQ(m.min, -149.0);
  CHECK_LE(std::abs(m.max - std::log2(1000 / rms)), 1e-6);
  CHECK_EQ(scalar(make, "neuron_norm_max_min", diagonal(lengths, 7), 5), infinity);
  CHECK_EQ(measure(make, "neuron_norm", "update", Tap::update, std::vector<float>(12), 3).values.front(), 3.0);
}

TEST_ON_BACKENDS("diagnostics: statistics of neuron norms are those of their definition") {
  const std::vector<double> lengths = {3, 1, 2, 5, 4};
  const double rms = std::sqrt(55.0 / 5);
  const std::vector<float> x = diagonal(lengths, 5);
  CHECK_LE(std::abs(scalar(make, "neuron_norm_cv", x, 5) - std::sqrt(2.0) / 3), 1e-6);
  CHECK_LE(std::abs(scalar(make, "neuron_norm_max_min", x, 5) - 5), 1e-6);
  CHECK_LE(std::abs(scalar(make, "neuron_norm_p50", x, 5) - 3 / rms), 1e-6);
  CHECK_LE(std::abs(scalar(make, "neuron_norm_p5", x, 5) - 1.2 / rms), 1e-6);
  CHECK_LE(std::abs(scalar(make, "neuron_norm_p95", x, 5) - 4.8 / rms), 1e-6);
}

TEST_ON_BACKENDS("diagnostics: a matrix that is not finite yields no number, and no endless loop") {
  std::vector<float> x = randomFloats(20 * 30, "not finite");
  x[77] = std::nanf("");
  CHECK(std::isnan(scalar(make, "stable_rank", x, 20)) || scalar(make, "stable_rank", x, 20) == 0);
}

TEST_ON_BACKENDS("diagnostics: requests are checked, and answered only for what was asked") {
  const auto backend = make();
  const auto diagnostics = makeDiagnostics(*backend);
  CHECK_THROWS(diagnostics->request({{"condition_nmber", "update", "w"}}, 1), "did you mean \"condition_number\"?");
  CHECK_THROWS(diagnostics->request({{"orthogonality_error", "weight", "w"}}, 1), "expected one of the taps orthogonalized, got \"weight\"");
  diagnostics->request({{"update_rms", "update", "w"}}, 1);
  CHECK(diagnostics->wants(Tap::update, "w"));
  CHECK(!diagnostics->wants(Tap::weight, "w"));
  CHECK(!diagnostics->wants(Tap::update, "x"));
  CHECK(diagnostics->take(true).empty());
  CHECK(!diagnostics->wants(Tap::update, "w"));
}

}  // namespace
}  // namespace muonscope::test
