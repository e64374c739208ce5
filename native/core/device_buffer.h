// Floats in a backend's memory, released with the object.
#pragma once

#include <utility>
#include <vector>

#include "backend/backend.h"

namespace muonscope {

// How many floats take as much memory as `n` numbers of the backend's compute type.
inline int64_t computeFloats(const Backend& backend, int64_t n) {
  constexpr int64_t floatBytes = sizeof(float);
  return (n * backend.info().computeBytes + floatBytes - 1) / floatBytes;
}

class DeviceBuffer {
 public:
  // Zeroed. The backend must outlive the buffer.
  DeviceBuffer(Backend& backend, int64_t floats) : backend_(&backend), data_(backend.allocate(floats)), size_(floats) {}
  ~DeviceBuffer() {
    if (data_) backend_->release(data_);
  }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : backend_(other.backend_), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  float* data() const { return data_; }
  double* doubles() const { return reinterpret_cast<double*>(data_); }
  int64_t size() const { return size_; }

  std::vector<float> download() const {
    std::vector<float> values(static_cast<size_t>(size_));
    backend_->download(values.data(), data_, size_);
    return values;
  }

 private:
  Backend* backend_;
  float* data_;
  int64_t size_;
};

}  // namespace muonscope
