// What the tests of the CUDA backend's element-wise passes and statistics share: floats at any address, between others that
// must not change, and errors counted in roundings.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/device_buffer.h"
#include "test/cuda_shim/shim.h"
#include "test/numeric.h"
#include "test/test.h"

namespace muonscope::test {

// Floats `offset` floats beyond a 16-byte boundary.
class Placed {
 public:
  Placed(Backend& backend, const std::vector<float>& x, int64_t offset = 0)
      : backend_(backend), n_(static_cast<int64_t>(x.size())), offset_(offset), buffer_(backend, n_ + 2 * margin) {
    std::vector<float> all(static_cast<size_t>(buffer_.size()), untouched);
    std::copy(x.begin(), x.end(), all.begin() + margin + offset);
    backend.upload(buffer_.data(), all.data(), buffer_.size());
  }
  float* data() const { return buffer_.data() + margin + offset_; }
  int64_t size() const { return n_; }
  std::vector<float> download() const {
    std::vector<float> all(static_cast<size_t>(buffer_.size()));
    backend_.download(all.data(), buffer_.data(), buffer_.size());
    const auto begin = all.begin() + margin + offset_;
    const auto isUntouched = [](float x) { return x == untouched; };
    CHECK(std::all_of(all.begin(), begin, isUntouched) && std::all_of(begin + n_, all.end(), isUntouched));
    return {begin, begin + n_};
  }

 private:
  static constexpr int64_t margin = 64;  // a multiple of four
  static constexpr float untouched = -7.25f;
  Backend& backend_;
  int64_t n_, offset_;
  DeviceBuffer buffer_;
};

// Doubles on a device, NaN where no values are given.
class Doubles {
 public:
  Doubles(Backend& backend, const std::vector<double>& x)
      : backend_(backend), n_(static_cast<int64_t>(x.size())), buffer_(backend, 2 * n_ + 2) {
    std::vector<float> halves(2 * x.size());
    if (n_ > 0) std::memcpy(halves.data(), x.data(), x.size() * sizeof(double));
    backend.upload(buffer_.data(), halves.data(), 2 * n_);
  }
  Doubles(Backend& backend, int64_t n) : Doubles(backend, std::vector<double>(static_cast<size_t>(n), std::nan(""))) {}
  double* data() const { return buffer_.doubles(); }
  std::vector<double> read() const {
    std::vector<double> x(static_cast<size_t>(n_));
    backend_.read(x.data(), data(), n_);
    return x;
  }

 private:
  Backend& backend_;
  int64_t n_;
  DeviceBuffer buffer_;
};

// Numbers of every size from 1e-30 to 1e18.
inline std::vector<float> manySizes(int64_t n, const std::string& name) {
  std::vector<float> x = randomFloats(n, name);
  for (int64_t i = 0; i < n; i++) x[static_cast<size_t>(i)] *= static_cast<float>(std::pow(10.0, double(i * 7 % 49) - 30));
  return x;
}

// The unit roundoff of fp32, and the distance between its smallest numbers, by which results that underflow may be off.
constexpr double roundoff = 0x1p-24, smallestFloat = 0x1p-149;

// |actual − expected| is at most what `roundings` of terms as large as `magnitude` can make.
inline void checkRounded(double actual, double expected, double magnitude, double roundings) {
  CHECK_LE(std::abs(actual - expected), roundings * (roundoff * magnitude + smallestFloat));
}

// body() yields the same, bit by bit, in whatever order threads and blocks run; the result of one order is returned.
template <class Body>
auto inEveryOrder(const Body& body) {
  const auto run = [&](cudaShim::Order order) {
    cudaShim::setOrder(order, 3);
    auto result = body();
    cudaShim::setOrder(cudaShim::Order::ascending);
    return result;
  };
  const auto first = run(cudaShim::Order::ascending);
  for (const auto order : {cudaShim::Order::descending, cudaShim::Order::shuffled}) {
    const auto other = run(order);
    CHECK(first.size() == other.size());
    CHECK(first.empty() || std::memcmp(first.data(), other.data(), first.size() * sizeof first[0]) == 0);
  }
  return first;
}

}  // namespace muonscope::test
