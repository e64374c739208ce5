// An optimizer over matrices that a test fills in from the host.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/device_buffer.h"
#include "core/optimizer.h"
#include "test/numeric.h"

namespace muonscope::test {

struct Shape {
  std::string name;
  int64_t rows, cols;
  Group group = Group::matrix;
};

class TestOptimizer {
 public:
  TestOptimizer(Backend& backend, const std::vector<Shape>& shapes, const std::string& preset, const KnobValues& knobs = {}, int ranks = 1,
                const std::vector<int>& devices = {0})
      : backend_(backend), ranks_(backend, devices, ranks) {
    std::vector<Parameter> parameters;
    for (const Shape& shape : shapes) {
      const int64_t size = shape.rows * shape.cols;
      weights_.emplace_back(backend, size);
      gradients_.emplace_back(backend, size);
      parameters.push_back({shape.name, shape.group, {weights_.back().data(), shape.rows, shape.cols},
                            {gradients_.back().data(), shape.rows, shape.cols}});
    }
    optimizer_ = makeOptimizer(ranks_, parameters, preset, knobs, {});
  }

  Optimizer& operator*() { return *optimizer_; }
  Optimizer* operator->() { return optimizer_.get(); }
  void setWeight(size_t i, const std::vector<float>& values) { backend_.upload(weights_[i].data(), values.data(), weights_[i].size()); }
  void setGradient(size_t i, const std::vector<float>& values) { backend_.upload(gradients_[i].data(), values.data(), gradients_[i].size()); }
  std::vector<float> weight(size_t i) const { return weights_[i].download(); }

 private:
  Backend& backend_;
  const Ranks ranks_;
  std::vector<DeviceBuffer> weights_, gradients_;
  std::unique_ptr<Optimizer> optimizer_;
};

// What a gradient of training looks like: rows of unequal size over a spectrum that decays by a factor of about 30.
inline std::vector<float> unevenMatrix(int64_t rows, int64_t cols, const std::string& name) {
  std::vector<float> x = randomFloats(rows * cols, name);
  const std::vector<float> left = randomFloats(rows, name + ".left"), right = randomFloats(cols, name + ".right");
  const std::vector<float> size = randomFloats(rows, name + ".size");
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      float& value = x[static_cast<size_t>(i * cols + j)];
      value = (0.3f * value + 3 * left[static_cast<size_t>(i)] * right[static_cast<size_t>(j)]) * std::exp(size[static_cast<size_t>(i)]);
    }
  return x;
}

inline double norm(const std::vector<float>& x) {
  double sum = 0;
  for (const float value : x) sum += double(value) * value;
  return std::sqrt(sum);
}

inline std::vector<double> rowNorms(const std::vector<float>& x, int64_t rows) {
  const size_t cols = x.size() / static_cast<size_t>(rows);
  std::vector<double> norms;
  for (auto row = x.begin(); row != x.end(); row += static_cast<std::ptrdiff_t>(cols)) norms.push_back(norm({row, row + static_cast<std::ptrdiff_t>(cols)}));
  return norms;
}

inline bool allFinite(const std::vector<float>& x) {
  for (const float value : x)
    if (!std::isfinite(value)) return false;
  return true;
}

// Keeps everything that the optimizer shows.
class Recorder : public TapListener {
 public:
  explicit Recorder(Backend& backend) : backend_(backend) {}
  bool wants(Tap, const std::string&) const override { return true; }
  void show(Tap tap, const std::string& tensor, Matrix matrix) override {
    std::vector<float>& copy = shown[tapName(tap) + "." + tensor];
    copy.resize(static_cast<size_t>(matrix.size()));
    backend_.download(copy.data(), matrix.data, matrix.size());
  }
  std::map<std::string, std::vector<float>> shown;

 private:
  Backend& backend_;
};

}  // namespace muonscope::test
