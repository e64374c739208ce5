// Runs a primitive on a device and on the CPU, on the same numbers: inputs of the compute type are rounded to it first on both
// sides, so that what is left is the rounding of results and of the order of sums.
#pragma once

#include <cmath>
#include <cstring>

#include "core/device_buffer.h"
#include "test/backends.h"
#include "test/numeric.h"
#include "test/test.h"

namespace muonscope::test {

using Floats = std::vector<float>;

// To bf16, to nearest, ties to even.
inline float roundToBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

// One backend with matrices in its memory, filled and read from the host.
class Place {
 public:
  explicit Place(Backend& backend) : backend(backend) {}

  DeviceBuffer floats(const Floats& values) const {
    DeviceBuffer buffer(backend, static_cast<int64_t>(values.size()));
    backend.upload(buffer.data(), values.data(), buffer.size());
    return buffer;
  }
  // Numbers of the compute type; `values` must be of it already.
  DeviceBuffer compute(const Floats& values) const {
    const auto n = static_cast<int64_t>(values.size());
    const DeviceBuffer wide = floats(values);
    DeviceBuffer buffer(backend, computeFloats(backend, n));
    backend.toCompute({buffer.data(), 1, n}, {wide.data(), 1, n});
    return buffer;
  }
  Floats read(const DeviceBuffer& compute, int64_t n) const {
    DeviceBuffer wide(backend, n);
    backend.fromCompute({wide.data(), 1, 1, n, n}, {compute.data(), 1, 1, n});
    return wide.download();
  }
  DeviceBuffer tokens(const std::vector<int32_t>& ids) const {
    DeviceBuffer buffer(backend, static_cast<int64_t>(ids.size()));
    backend.upload(buffer.data(), reinterpret_cast<const float*>(ids.data()), buffer.size());
    return buffer;
  }
  std::vector<double> doubles(const DeviceBuffer& buffer, int64_t n) const {
    std::vector<double> values(static_cast<size_t>(n));
    backend.read(values.data(), buffer.doubles(), n);
    return values;
  }

  Backend& backend;
};

inline const int32_t* ids(const DeviceBuffer& buffer) { return reinterpret_cast<const int32_t*>(buffer.data()); }

// Runs `work` on the device and on the CPU; `work(place)` returns the floats to compare.
class Pair {
 public:
  explicit Pair(const MakeBackend& make) : device_(make()), cpu_(makeCpuBackend({2})) {}

  // Random numbers of the compute type.
  Floats numbers(int64_t n, const std::string& name) const {
    Floats values = randomFloats(n, name);
    if (isBf16())
      for (float& x : values) x = roundToBf16(x);
    return values;
  }
  bool isBf16() const { return device_->info().computeBytes == 2; }
  // In units of the compute type's relative rounding error: 2^-24 (fp32), 2^-9 (bf16).
  template <class Work>
  void compare(double roundings, const Work& work) const {
    const double unit = isBf16() ? 0x1p-9 : 0x1p-24;
    compareWithin(roundings * unit, work);
  }
  // For what is fp32 throughout.
  template <class Work>
  void compareFp32(double roundings, const Work& work) const {
    compareWithin(roundings * 0x1p-24, work);
  }

 private:
  template <class Work>
  void compareWithin(double tolerance, const Work& work) const {
    const Floats got = work(Place(*device_)), expected = work(Place(*cpu_));
    CHECK_EQ(got.size(), expected.size());
    CHECK_LE(relativeError(got, expected), tolerance);
  }
  std::unique_ptr<Backend> device_, cpu_;
};

}  // namespace muonscope::test
