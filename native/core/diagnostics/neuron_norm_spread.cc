// Numbers that sum up the neuron norms ρ: how unequal the rows are.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/diagnostics/diagnostic.h"

namespace muonscope {
namespace {

// Standard deviation over mean; 0 for a matrix of zeros, whose rows are equal.
void cv(Sample& sample, Measurement& out) {
  const std::vector<double>& norms = sample.neuronNorms();
  const double count = static_cast<double>(norms.size());
  const double mean = std::accumulate(norms.begin(), norms.end(), 0.0) / count;
  double variance = 0;
  for (const double x : norms) variance += (x - mean) * (x - mean) / count;
  setScalar(out, mean > 0 ? std::sqrt(variance) / mean : 0);
}

void maxMin(Sample& sample, Measurement& out) {
  const auto [smallest, largest] = std::minmax_element(sample.neuronNorms().begin(), sample.neuronNorms().end());
  setScalar(out, *smallest > 0 ? *largest / *smallest : std::numeric_limits<double>::infinity());
}

// Percentile with linear interpolation between neighbours (NumPy's default).
template <int percent>
void percentile(Sample& sample, Measurement& out) {
  std::vector<double> sorted = sample.neuronNorms();
  std::sort(sorted.begin(), sorted.end());
  const double place = percent / 100.0 * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(place), above = std::min(below + 1, sorted.size() - 1);
  setScalar(out, sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]));
}

Diagnostic spread(std::string id, std::string title, std::string unit, bool logarithmic, std::string meaning,
                  void (*measure)(Sample&, Measurement&)) {
  return {{.id = std::move(id),
           .title = std::move(title),
           .shape = "scalar",
           .unit = std::move(unit),
           .taps = tapNames(),
           .defaultTaps = {"orthogonalized", "update"},
           .logarithmic = logarithmic,
           .meaning = std::move(meaning),
           .source = "arXiv 2510.05491 §3.1 (variance of per-neuron norms)"},
          measure};
}

}  // namespace

Diagnostic neuronNormCv() {
  return spread("neuron_norm_cv", "Neuron norms: variation", "", false,
                "Standard deviation of the neuron norms over their mean; 0 when all rows are equally long.", cv);
}
Diagnostic neuronNormMaxMin() {
  return spread("neuron_norm_max_min", "Neuron norms: max/min", "", true,
                "Longest row over the shortest; infinite where a row is zero.", maxMin);
}
Diagnostic neuronNormP5() {
  return spread("neuron_norm_p5", "Neuron norms: 5th percentile", "ρ", true, "5 % of the rows are shorter than this.", percentile<5>);
}
Diagnostic neuronNormP50() {
  return spread("neuron_norm_p50", "Neuron norms: median", "ρ", true, "Half of the rows are shorter than this.", percentile<50>);
}
Diagnostic neuronNormP95() {
  return spread("neuron_norm_p95", "Neuron norms: 95th percentile", "ρ", true, "95 % of the rows are shorter than this.", percentile<95>);
}

}  // namespace muonscope
