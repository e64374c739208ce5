#include "addon/input.h"

#include <cmath>
#include <stdexcept>

namespace muonscope {
namespace {

std::string describeValue(Napi::Value value) {
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean() || value.IsNumber()) return value.ToString().Utf8Value();
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    return '"' + (text.size() > 60 ? text.substr(0, 60) + "…" : text) + '"';
  }
  if (value.IsArray()) return "an array";
  if (value.IsFunction()) return "a function";
  if (value.IsTypedArray()) return "a typed array of another kind";
  if (value.IsObject()) return "an object";
  return "a value of another type";
}

}  // namespace

void Input::refuse(const std::string& expected) const {
  throw std::invalid_argument(name_ + ": expected " + expected + ", received " + describeValue(value_));
}

Input Input::operator[](const char* property) const {
  if (!value_.IsObject()) refuse("an object");
  return Input(value_.As<Napi::Object>().Get(property), name_ + "." + property);
}

bool Input::boolean() const {
  if (!value_.IsBoolean()) refuse("true or false");
  return value_.As<Napi::Boolean>().Value();
}

double Input::number() const {
  if (!value_.IsNumber()) refuse("a number");
  return value_.As<Napi::Number>().DoubleValue();
}

int64_t Input::integer(int64_t least, int64_t most) const {
  const double x = value_.IsNumber() ? value_.As<Napi::Number>().DoubleValue() : NAN;
  if (!(x >= double(least) && x <= double(most)) || x != std::floor(x))
    refuse("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<int64_t>(x);
}

std::string Input::string() const {
  if (!value_.IsString()) refuse("a string");
  return value_.As<Napi::String>().Utf8Value();
}

Group Input::group() const {
  const std::string name = value_.IsString() ? value_.As<Napi::String>().Utf8Value() : "";
  if (name == "matrix") return Group::matrix;
  if (name == "auxiliary") return Group::auxiliary;
  refuse("\"matrix\" or \"auxiliary\"");
}

KnobValues Input::knobs() const {
  if (!value_.IsObject() || value_.IsArray() || value_.IsFunction()) refuse("an object of knobs");
  const auto object = value_.As<Napi::Object>();
  const auto names = object.GetPropertyNames();
  KnobValues knobs;
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string id = Napi::Value(names[i]).ToString().Utf8Value();
    const Napi::Value value = object.Get(id);
    if (value.IsBoolean())
      knobs[id] = value.As<Napi::Boolean>().Value();
    else if (value.IsNumber())
      knobs[id] = value.As<Napi::Number>().DoubleValue();
    else if (value.IsString())
      knobs[id] = value.As<Napi::String>().Utf8Value();
    else
      Input(value, name_ + "." + id).refuse("a number, a boolean or a string");
  }
  return knobs;
}

std::vector<int32_t> Input::tokens() const {
  if (!value_.IsTypedArray() || value_.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) refuse("an Int32Array");
  const auto array = value_.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

HostTensor Input::tensor() const {
  const Input data = (*this)["data"];
  if (!data.value_.IsTypedArray() || data.value_.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
    data.refuse("a Float32Array");
  const auto values = data.value_.As<Napi::Float32Array>();
  HostTensor tensor{(*this)["name"].string(), {}, {}};
  double size = 1;
  for (const Input& n : (*this)["shape"].array()) {
    tensor.shape.push_back(n.integer(0, int64_t{1} << 31));
    size *= double(tensor.shape.back());
  }
  if (size != double(values.ElementLength()))
    throw std::invalid_argument(name_ + ": expected as many values as the shape " + shapeText(tensor.shape) + " of " +
                                tensor.name + " has entries, received " + std::to_string(values.ElementLength()));
  tensor.data.assign(values.Data(), values.Data() + values.ElementLength());
  return tensor;
}

std::vector<HostTensor> Input::tensors() const {
  std::vector<HostTensor> tensors;
  for (const Input& item : array()) tensors.push_back(item.tensor());
  return tensors;
}

std::vector<MeasureRequest> Input::measureRequests() const {
  std::vector<MeasureRequest> requests;
  for (const Input& item : array()) requests.push_back({item["channel"].string(), item["tap"].string(), item["tensor"].string()});
  return requests;
}

std::vector<Input> Input::array() const {
  if (!value_.IsArray()) refuse("an array");
  const auto array = value_.As<Napi::Array>();
  std::vector<Input> items;
  for (uint32_t i = 0; i < array.Length(); i++) items.emplace_back(array.Get(i), name_ + "[" + std::to_string(i) + "]");
  return items;
}

BackendOptions Input::backendOptions() const {
  constexpr int64_t mostThreads = 1024, mostDevices = 1024;  // what cannot have been meant; the backend says what there is
  BackendOptions options{.threads = static_cast<int>((*this)["threads"].integer(0, mostThreads)), .precision = (*this)["precision"].string()};
  const Input devices = (*this)["devices"];
  for (const Input& device : devices.array()) options.more.push_back(static_cast<int>(device.integer(0, mostDevices)));
  if (options.more.empty()) devices.refuse("at least one device");
  options.device = options.more.front();
  options.more.erase(options.more.begin());
  return options;
}

}  // namespace muonscope
