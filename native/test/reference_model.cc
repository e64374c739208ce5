#include "test/reference_model.h"

#include <cmath>
#include <limits>

namespace muonscope::test {
namespace {

// x [rows, inner] · Wᵀ, W [cols, inner]
Values linear(const Values& x, const Values& w, int64_t rows, int64_t inner, int64_t cols) {
  Values y(rows * cols, 0.0);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      for (int64_t k = 0; k < inner; k++) y[i * cols + j] += x[i * inner + k] * w[j * inner + k];
  return y;
}

void addTo(Values& x, const Values& y) {
  for (size_t i = 0; i < x.size(); i++) x[i] += y[i];
}

// One head's vector at position t: normalised, then rotated by t.
Values rotated(const double* x, int64_t t, int64_t dim) {
  const Values n = referenceRmsNorm(Values(x, x + dim), 1, dim);
  Values y(dim);
  const int64_t half = dim / 2;
  for (int64_t d = 0; d < half; d++) {
    const double angle = double(t) / std::pow(10000.0, double(2 * d) / double(dim));
    y[d] = n[d] * std::cos(angle) + n[d + half] * std::sin(angle);
    y[d + half] = n[d + half] * std::cos(angle) - n[d] * std::sin(angle);
  }
  return y;
}

}  // namespace

Values referenceRmsNorm(const Values& x, int64_t rows, int64_t cols) {
  Values y(x.size());
  for (int64_t i = 0; i < rows; i++) {
    double sum = 0;
    for (int64_t j = 0; j < cols; j++) sum += x[i * cols + j] * x[i * cols + j];
    const double rms = std::sqrt(sum / double(cols) + double(std::numeric_limits<float>::epsilon()));
    for (int64_t j = 0; j < cols; j++) y[i * cols + j] = x[i * cols + j] / rms;
  }
  return y;
}

Values referenceAttention(const Values& qkv, int64_t batch, int64_t time, int64_t heads, int64_t headDim) {
  const int64_t width = heads * headDim;
  Values out(batch * time * width, 0.0);
  for (int64_t b = 0; b < batch; b++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t i = 0; i < time; i++) {
        const auto at = [&](int64_t t, int64_t part) { return qkv.data() + ((b * time + t) * 3 + part) * width + h * headDim; };
        const Values q = rotated(at(i, 0), i, headDim);
        Values p(i + 1);
        double sum = 0;
        for (int64_t j = 0; j <= i; j++) {
          const Values k = rotated(at(j, 1), j, headDim);
          double score = 0;
          for (int64_t d = 0; d < headDim; d++) score += q[d] * k[d];
          sum += p[j] = std::exp(score / std::sqrt(double(headDim)));
        }
        for (int64_t j = 0; j <= i; j++)
          for (int64_t d = 0; d < headDim; d++)
            out[(b * time + i) * width + h * headDim + d] += p[j] / sum * at(j, 2)[d];
      }
  return out;
}

double referenceCrossEntropy(const Values& logits, const std::vector<int32_t>& targets, int64_t rows, int64_t cols) {
  double total = 0;
  for (int64_t i = 0; i < rows; i++) {
    const double* x = logits.data() + i * cols;
    double largest = x[0], sum = 0;
    for (int64_t j = 0; j < cols; j++) largest = std::max(largest, x[j]);
    for (int64_t j = 0; j < cols; j++) sum += std::exp(x[j] - largest);
    total += std::log(sum) + largest - x[targets[i]];
  }
  return total / double(rows);
}

double referenceLoss(const ModelConfig& config, int64_t batch, const std::map<std::string, Values>& weights,
                     const std::vector<int32_t>& tokens) {
  const int64_t time = config.context, n = batch * time, c = config.width;
  Values x(n * c);
  std::vector<int32_t> targets(n);
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = i / time * (time + 1) + i % time;
    for (int64_t j = 0; j < c; j++) x[i * c + j] = weights.at("embed")[tokens[at] * c + j];
    targets[i] = tokens[at + 1];
  }
  for (int64_t l = 0; l < config.layers; l++) {
    const std::string block = "blocks." + std::to_string(l) + ".";
    const Values qkv = linear(referenceRmsNorm(x, n, c), weights.at(block + "attn.qkv"), n, c, 3 * c);
    const Values attention = referenceAttention(qkv, batch, time, config.heads, c / config.heads);
    addTo(x, linear(attention, weights.at(block + "attn.out"), n, c, c));
    Values hidden = linear(referenceRmsNorm(x, n, c), weights.at(block + "mlp.up"), n, c, 4 * c);
    for (double& h : hidden) h = h > 0 ? h * h : 0;
    addTo(x, linear(hidden, weights.at(block + "mlp.down"), n, 4 * c, c));
  }
  const Values logits = linear(referenceRmsNorm(x, n, c), weights.at("head"), n, c, config.vocabulary);
  return referenceCrossEntropy(logits, targets, n, config.vocabulary);
}

}  // namespace muonscope::test
