// What the tests of the CUDA backend's layers share: memory on the device that frees itself, and tolerances.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "test/emulated_cuda.h"
#include "test/numeric.h"
#include "test/test.h"

namespace muonscope::test {

inline constexpr double kTolerance = 1e-6;         // a few roundings of fp32, 6e-8 each, over short sums
inline constexpr double kHalfRounding = 1.0 / 256;  // of bf16, which has 8 bits: at most half a unit of 2^-7

class CudaDevice {
 public:
  explicit CudaDevice(const char* precision) : backend_(makeEmulatedCudaBackend(precision)) {}
  ~CudaDevice() {
    for (float* p : allocated_) backend_->release(p);
  }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;
  Backend* operator->() const { return backend_.get(); }
  bool half() const { return backend_->info().computeBytes == 2; }
  // Of a result in the compute type: what fp32 arithmetic and, at the end, one rounding may add.
  double tolerance() const { return kTolerance + lastRounding(); }
  double lastRounding() const { return half() ? kHalfRounding : 0; }

  float* floats(int64_t n) {
    allocated_.push_back(backend_->allocate(n));
    return allocated_.back();
  }
  Matrix matrix(const std::vector<float>& x, int64_t rows, int64_t cols) {
    const Matrix m{floats(rows * cols), rows, cols};
    backend_->upload(m.data, x.data(), rows * cols);
    return m;
  }
  ComputeMatrix compute(int64_t rows, int64_t cols) {
    const int64_t bytes = rows * cols * backend_->info().computeBytes;
    return {floats((bytes + 3) / 4), rows, cols};
  }
  // Rounds x to what the device has.
  ComputeMatrix compute(std::vector<float>& x, int64_t rows, int64_t cols) {
    const ComputeMatrix m = compute(rows, cols);
    backend_->toCompute(m, matrix(x, rows, cols));
    x = read(m);
    return m;
  }
  const int32_t* ids(const std::vector<int32_t>& x) {
    const auto n = static_cast<int64_t>(x.size());
    float* p = floats(n);
    backend_->upload(p, reinterpret_cast<const float*>(x.data()), n);
    return reinterpret_cast<const int32_t*>(p);
  }
  std::vector<float> read(const float* p, int64_t n) {
    std::vector<float> x(static_cast<size_t>(n));
    backend_->download(x.data(), p, n);
    return x;
  }
  std::vector<float> read(ComputeMatrix m) {
    float* p = floats(m.size());
    backend_->fromCompute({p, 1, m.rows, m.cols, m.size()}, {m.data, 1, m.rows, m.cols});
    return read(p, m.size());
  }
  double loss(ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) {
    auto* p = reinterpret_cast<double*>(floats(2));
    backend_->crossEntropy(p, logits, targets, gradient, scale);
    double loss = 0;
    backend_->read(&loss, p, 1);
    return loss;
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::vector<float*> allocated_;
};

inline const char* const kPrecisions[] = {"fp32", "bf16"};

// |x − expected| ≤ tolerance·|expected|, for each.
inline void checkEach(const std::vector<float>& x, const std::vector<double>& expected, double tolerance) {
  CHECK_EQ(x.size(), expected.size());
  for (size_t i = 0; i < x.size(); i++) CHECK_LE(std::abs(x[i] - expected[i]), tolerance * std::abs(expected[i]));
}

}  // namespace muonscope::test
