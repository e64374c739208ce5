#include "addon/input.h"

#include <cmath>
#include <stdexcept>

namespace muonscope {
namespace {

constexpr int64_t kMostRows = (int64_t{1} << 31) - 1;  // what BLAS can count

// Of a string, in bytes of UTF-8.
size_t lengthOf(Napi::Value string) {
  size_t length = 0;
  if (napi_get_value_string_utf8(string.Env(), string, nullptr, 0, &length) != napi_ok) throw Napi::Error::New(string.Env());
  return length;
}

std::string describeValue(Napi::Value value) {
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean() || value.IsNumber()) return value.ToString().Utf8Value();
  if (value.IsString()) {
    char text[60];  // whole characters, as many as there is room for
    size_t length = 0;
    if (napi_get_value_string_utf8(value.Env(), value, text, sizeof text, &length) != napi_ok) return "a string";
    return '"' + std::string(text, length) + (length < lengthOf(value) ? "…\"" : "\"");
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
  if (const size_t length = lengthOf(value_); length > kMostBytes)
    refuse("a string of at most " + std::to_string(kMostBytes) + " bytes, not of " + std::to_string(length));
  return value_.As<Napi::String>().Utf8Value();
}

Group Input::group() const {
  const std::string name = value_.IsString() ? string() : "";
  if (name == "matrix") return Group::matrix;
  if (name == "auxiliary") return Group::auxiliary;
  refuse("\"matrix\" or \"auxiliary\"");
}

KnobValues Input::knobs() const {
  if (!value_.IsObject() || value_.IsArray() || value_.IsFunction()) refuse("an object of knobs");
  const auto object = value_.As<Napi::Object>();
  const auto names = object.GetPropertyNames();
  KnobValues knobs;
  const uint32_t count = names.Length();
  for (uint32_t i = 0; i < count; i++) {
    const Napi::Value key = names[i];
    const std::string id = Input(key, name_ + ": a knob's name").string();
    const Napi::Value value = object.Get(key);
    if (value.IsBoolean())
      knobs[id] = value.As<Napi::Boolean>().Value();
    else if (value.IsNumber())
      knobs[id] = value.As<Napi::Number>().DoubleValue();
    else if (value.IsString())
      knobs[id] = Input(value, name_ + "." + id).string();
    else
      Input(value, name_ + "." + id).refuse("a number, a boolean or a string");
  }
  return knobs;
}

// Copied, which is all that is done between asking where they are and being done with them.
template <class Array>
auto Input::numbers(napi_typedarray_type type, const char* expected) const {
  if (!value_.IsTypedArray() || value_.As<Napi::TypedArray>().TypedArrayType() != type) refuse(expected);
  const auto array = value_.As<Array>();
  return std::vector(array.Data(), array.Data() + array.ElementLength());
}

std::vector<int32_t> Input::tokens() const { return numbers<Napi::Int32Array>(napi_int32_array, "an Int32Array"); }

HostTensor Input::tensor() const {
  HostTensor tensor{(*this)["name"].string(), {}, {}};
  double size = 1;
  const Input shape = (*this)["shape"];
  shape.each([&](const Input& n) {
    if (tensor.shape.size() == kMostDimensions) shape.refuse("at most " + std::to_string(kMostDimensions) + " dimensions");
    tensor.shape.push_back(n.integer(0, kMostRows));
    size *= double(tensor.shape.back());
  });
  tensor.data = (*this)["data"].numbers<Napi::Float32Array>(napi_float32_array, "a Float32Array");
  if (size != double(tensor.data.size()))
    throw std::invalid_argument(name_ + ": expected as many values as the shape " + shapeText(tensor.shape) + " of " +
                                tensor.name + " has entries, received " + std::to_string(tensor.data.size()));
  return tensor;
}

std::vector<HostTensor> Input::tensors() const {
  std::vector<HostTensor> tensors;
  each([&](const Input& item) { tensors.push_back(item.tensor()); });
  return tensors;
}

std::vector<MeasureRequest> Input::measureRequests() const {
  std::vector<MeasureRequest> requests;
  each([&](const Input& item) { requests.push_back({item["channel"].string(), item["tap"].string(), item["tensor"].string()}); });
  return requests;
}

void Input::each(const std::function<void(const Input&)>& use) const {
  if (!value_.IsArray()) refuse("an array");
  const auto array = value_.As<Napi::Array>();
  const uint32_t count = array.Length();
  if (count > kMostItems) refuse("an array of at most " + std::to_string(kMostItems) + " items, not of " + std::to_string(count));
  for (uint32_t i = 0; i < count; i++) {
    const Napi::HandleScope scope(value_.Env());
    use(Input(array.Get(i), name_ + "[" + std::to_string(i) + "]"));
  }
}

BackendOptions Input::backendOptions() const {
  constexpr int64_t mostThreads = 1024, mostDevices = 1024;  // what cannot have been meant; the backend says what there is
  BackendOptions options{.threads = static_cast<int>((*this)["threads"].integer(0, mostThreads)), .precision = (*this)["precision"].string()};
  const Input devices = (*this)["devices"];
  devices.each([&](const Input& device) { options.more.push_back(static_cast<int>(device.integer(0, mostDevices))); });
  if (options.more.empty()) devices.refuse("at least one device");
  options.device = options.more.front();
  options.more.erase(options.more.begin());
  return options;
}

}  // namespace muonscope
