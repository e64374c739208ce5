// Shared by the numeric tests: random data, relative errors, central differences.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"

namespace muonscope::test {

inline std::vector<float> randomFloats(int64_t n, const std::string& name, double scale = 1) {
  const RandomStream random(7, name);
  std::vector<float> values(n);
  for (int64_t i = 0; i < n; i++) values[i] = static_cast<float>(scale * random.normal(i));
  return values;
}

inline std::vector<double> toDouble(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// ‖a − b‖ / ‖b‖ in the Frobenius norm.
template <class A, class B>
double relativeError(const A& a, const B& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); i++) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += double(b[i]) * b[i];
  }
  return std::sqrt(difference / norm);
}

// d f / d x_i by central differences of a double-precision f; the error of the formula is about h², 1e-10, and of
// rounding 1e-16 / h, 1e-11.
template <class F>
std::vector<double> centralDifferences(std::vector<double>& x, const F& f) {
  constexpr double h = 1e-5;
  std::vector<double> gradient(x.size());
  for (size_t i = 0; i < x.size(); i++) {
    const double kept = x[i];
    x[i] = kept + h;
    const double above = f();
    x[i] = kept - h;
    const double below = f();
    x[i] = kept;
    gradient[i] = (above - below) / (2 * h);
  }
  return gradient;
}

}  // namespace muonscope::test
