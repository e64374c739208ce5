// Quantities of one matrix that diagnostics share.
#include <cmath>
#include <numeric>

#include "core/device_buffer.h"
#include "core/diagnostics/diagnostic.h"

namespace muonscope {

const std::vector<double>& Sample::rowMeanSquares() {
  if (!rowMeanSquares_) {
    DeviceBuffer meanSquares(backend_, rows());
    backend_.rowMeanSquare(meanSquares.data(), Batch{matrix_.data, 1, rows(), cols(), matrix_.size()});
    const std::vector<float> values = meanSquares.download();
    rowMeanSquares_.emplace(values.begin(), values.end());
  }
  return *rowMeanSquares_;
}

double Sample::sumSquares() {
  const auto& means = rowMeanSquares();
  return std::accumulate(means.begin(), means.end(), 0.0) * static_cast<double>(cols());
}

const std::vector<double>& Sample::neuronNorms() {
  if (!neuronNorms_) {
    neuronNorms_.emplace(rowMeanSquares());
    const double mean = sumSquares() / (static_cast<double>(rows()) * static_cast<double>(cols()));
    for (double& value : *neuronNorms_) value = mean > 0 ? std::sqrt(value / mean) : 0;
  }
  return *neuronNorms_;
}

}  // namespace muonscope
