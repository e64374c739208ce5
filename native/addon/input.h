// What JavaScript handed in, checked: every accessor throws std::invalid_argument saying what was expected, what came
// and where ("createEngine: config.model.width: expected …, received …").
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/host_tensor.h"
#include "core/knobs.h"
#include "core/optimizer.h"
#include "core/taps.h"

namespace muonscope {

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
  std::string string() const;
  Group group() const;
  KnobValues knobs() const;
  std::vector<int32_t> tokens() const;      // from an Int32Array
  HostTensor tensor() const;                // from a NamedTensor
  std::vector<HostTensor> tensors() const;
  std::vector<MeasureRequest> measureRequests() const;
  BackendOptions backendOptions() const;     // from an object with `threads`, `devices` and `precision`
  std::vector<Input> array() const;

 private:
  [[noreturn]] void refuse(const std::string& expected) const;

  Napi::Value value_;
  std::string name_;
};

}  // namespace muonscope
