#include "addon/output.h"

#include <algorithm>
#include <cmath>

namespace muonscope {

// An array of one JavaScript value per item.
template <class Items, class Convert>
static Napi::Array list(Napi::Env env, const Items& items, const Convert& convert) {
  auto array = Napi::Array::New(env, items.size());
  for (size_t i = 0; i < items.size(); i++) array[static_cast<uint32_t>(i)] = convert(items[i]);
  return array;
}

static Napi::Value toJs(Napi::Env env, const KnobValue& value) {
  return std::visit([&](const auto& v) -> Napi::Value { return Napi::Value::From(env, v); }, value);
}

static Napi::Value toJs(Napi::Env env, const std::vector<double>& values) {
  auto array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

static Napi::Value toJs(Napi::Env env, const Knob& knob) {
  auto object = Napi::Object::New(env);
  object["id"] = knob.id;
  object["type"] = knob.type;
  object["default"] = toJs(env, knob.defaultValue);
  if (std::isfinite(knob.minimum)) object["minimum"] = knob.minimum;
  if (std::isfinite(knob.maximum)) object["maximum"] = knob.maximum;
  if (!knob.choices.empty()) object["choices"] = toJs(env, knob.choices);
  object["live"] = Napi::Boolean::New(env, knob.live);
  object["meaning"] = knob.meaning;
  object["source"] = knob.source;
  return object;
}

static Napi::Value toJs(Napi::Env env, const OptimizerDescription& optimizer) {
  auto object = Napi::Object::New(env);
  object["id"] = optimizer.id;
  object["title"] = optimizer.title;
  object["meaning"] = optimizer.meaning;
  object["source"] = optimizer.source;
  object["defaults"] = toJs(env, optimizer.defaults);
  return object;
}

static Napi::Value toJs(Napi::Env env, const DiagnosticDescription& diagnostic) {
  auto object = Napi::Object::New(env);
  object["id"] = diagnostic.id;
  object["title"] = diagnostic.title;
  object["shape"] = diagnostic.shape;
  object["unit"] = diagnostic.unit;
  object["taps"] = toJs(env, diagnostic.taps);
  object["defaultTaps"] = toJs(env, diagnostic.defaultTaps);
  object["logarithmic"] = Napi::Boolean::New(env, diagnostic.logarithmic);
  object["meaning"] = diagnostic.meaning;
  object["source"] = diagnostic.source;
  return object;
}

static Napi::Value toJs(Napi::Env env, const HostTensor& tensor) {
  auto object = Napi::Object::New(env);
  object["name"] = tensor.name;
  object["shape"] = list(env, tensor.shape, [&](int64_t n) { return Napi::Number::New(env, double(n)); });
  object["data"] = toJs(env, tensor.data);
  return object;
}

static Napi::Value toJs(Napi::Env env, const Measurement& m) {
  auto object = Napi::Object::New(env);
  object["step"] = double(m.step);
  object["channel"] = m.channel;
  object["tap"] = m.tap;
  object["tensor"] = m.tensor;
  object["shape"] = m.shape;
  object["values"] = toJs(env, m.values);
  object["edges"] = toJs(env, m.edges);
  object["min"] = m.min;
  object["max"] = m.max;
  object["count"] = m.count;
  object["sum"] = m.sum;
  object["sumSquares"] = m.sumSquares;
  return object;
}

Napi::Value toJs(Napi::Env env, const KnobValues& values) {
  auto object = Napi::Object::New(env);
  for (const auto& [id, value] : values) object[id] = toJs(env, value);
  return object;
}

Napi::Value toJs(Napi::Env env, const Description& description) {
  const auto knob = [&](const Knob& k) { return toJs(env, k); };
  auto object = Napi::Object::New(env);
  object["knobs"] = list(env, description.knobs, knob);
  object["auxiliaryKnobs"] = list(env, description.auxiliaryKnobs, knob);
  object["optimizers"] = list(env, description.optimizers, [&](const OptimizerDescription& o) { return toJs(env, o); });
  object["diagnostics"] = list(env, description.diagnostics, [&](const DiagnosticDescription& d) { return toJs(env, d); });
  object["taps"] = toJs(env, description.taps);
  return object;
}

Napi::Value toJs(Napi::Env env, const std::vector<BackendAvailability>& backends) {
  return list(env, backends, [&](const BackendAvailability& b) {
    auto object = Napi::Object::New(env);
    object["id"] = b.id;
    object["available"] = Napi::Boolean::New(env, b.available);
    object["detail"] = b.detail;
    object["devices"] = toJs(env, b.devices);
    return object;
  });
}

Napi::Value toJs(Napi::Env env, const std::vector<Parameter>& parameters) {
  return list(env, parameters, [&](const Parameter& p) {
    auto object = Napi::Object::New(env);
    object["name"] = p.name;
    object["rows"] = double(p.weight.rows);
    object["cols"] = double(p.weight.cols);
    object["group"] = p.group == Group::matrix ? "matrix" : "auxiliary";
    return object;
  });
}

Napi::Value toJs(Napi::Env env, const std::vector<PhaseCost>& phases) {
  return list(env, phases, [&](const PhaseCost& p) {
    auto object = Napi::Object::New(env);
    object["phase"] = p.phase;
    object["rank"] = double(p.rank);
    object["seconds"] = p.seconds;
    object["bytes"] = p.bytes;
    return object;
  });
}

Napi::Value toJs(Napi::Env env, const std::vector<HostTensor>& tensors) {
  return list(env, tensors, [&](const HostTensor& t) { return toJs(env, t); });
}

Napi::Value toJs(Napi::Env env, const std::vector<std::string>& strings) {
  return list(env, strings, [&](const std::string& s) { return Napi::String::New(env, s); });
}

Napi::Value toJs(Napi::Env env, const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value toJs(Napi::Env env, const std::vector<Measurement>& measurements) {
  return list(env, measurements, [&](const Measurement& m) { return toJs(env, m); });
}

Napi::Value toJs(Napi::Env env, const StepResult& result) {
  auto time = Napi::Object::New(env);
  time["forwardBackward"] = result.time.forwardBackward;
  time["optimizer"] = result.time.optimizer;
  time["diagnostics"] = result.time.diagnostics;
  auto object = Napi::Object::New(env);
  object["loss"] = result.loss;
  object["gradNorm"] = result.gradNorm;
  object["applied"] = Napi::Boolean::New(env, result.applied);
  object["nonFinite"] = result.nonFinite.empty() ? env.Null() : Napi::String::New(env, result.nonFinite);
  object["time"] = time;
  object["phases"] = toJs(env, result.phases);
  object["measurements"] = toJs(env, result.measurements);
  object["pending"] = double(result.pending);
  return object;
}

Napi::Value toJs(Napi::Env env, const RunMemory& memory) {
  auto object = Napi::Object::New(env);
  object["weights"] = double(memory.weights);
  object["gradients"] = double(memory.gradients);
  object["optimizer"] = double(memory.optimizer);
  object["activations"] = double(memory.activations);
  object["available"] = double(memory.available);
  object["others"] = list(env, memory.others, [&](const RunMemory::Other& other) {
    auto each = Napi::Object::New(env);
    each["device"] = double(other.device);
    each["needed"] = double(other.needed);
    each["available"] = double(other.available);
    return each;
  });
  return object;
}

}  // namespace muonscope
