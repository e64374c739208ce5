// What JavaScript handed in, checked: every accessor throws std::invalid_argument saying what was expected, what came
// and where ("createEngine: config.model.width: expected …, received …").
//
// Getters and proxies run JavaScript. Nothing that was read before is looked at again after one ran: numbers, strings and what
// arrays hold are copied as soon as they are there.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/host_tensor.h"
#include "core/knobs.h"
#include "core/optimizer.h"
#include "core/taps.h"

namespace muonscope {

// Of a string, in UTF-8: names, choices and scopes have tens; what compares them with others takes time by their length.
constexpr size_t kMostBytes = 4096;
// Of an array: the largest model's tensors, measured in every way at every tap, are half as many.
constexpr size_t kMostItems = size_t{1} << 20;
// Of a tensor, as NumPy has at most; here they are one or two.
constexpr size_t kMostDimensions = 64;

class Input {
 public:
  // `name` stands before every message.
  Input(Napi::Value value, std::string name) : value_(value), name_(std::move(name)) {}
  // The index-th argument of a call.
  Input(const Napi::CallbackInfo& info, size_t index, std::string name) : Input(info[index], std::move(name)) {}

  Input operator[](const char* property) const;

  bool boolean() const;
  double number() const;
  int64_t integer(int64_t least, int64_t most) const;
  std::string string() const;               // of at most kMostBytes
  Group group() const;
  KnobValues knobs() const;
  std::vector<int32_t> tokens() const;      // from an Int32Array
  HostTensor tensor() const;                // from a NamedTensor
  std::vector<HostTensor> tensors() const;
  std::vector<MeasureRequest> measureRequests() const;
  BackendOptions backendOptions() const;     // from an object with `threads`, `devices` and `precision`
  // use(item) for each item of an array, one after the other.
  void each(const std::function<void(const Input&)>& use) const;

 private:
  [[noreturn]] void refuse(const std::string& expected) const;
  template <class Array>
  auto numbers(napi_typedarray_type type, const char* expected) const;

  Napi::Value value_;
  std::string name_;
};

}  // namespace muonscope
