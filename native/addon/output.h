// Results as JavaScript values; the shapes are those of extension/trainer/addon.ts. All numbers are copied.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "core/backends.h"
#include "core/engine.h"
#include "core/host_tensor.h"
#include "core/knobs.h"

namespace muonscope {

Napi::Value toJs(Napi::Env env, const KnobValues& values);
Napi::Value toJs(Napi::Env env, const Description& description);
Napi::Value toJs(Napi::Env env, const std::vector<BackendAvailability>& backends);
Napi::Value toJs(Napi::Env env, const std::vector<Parameter>& parameters);
Napi::Value toJs(Napi::Env env, const std::vector<PhaseCost>& phases);
Napi::Value toJs(Napi::Env env, const std::vector<HostTensor>& tensors);
Napi::Value toJs(Napi::Env env, const std::vector<std::string>& strings);
Napi::Value toJs(Napi::Env env, const std::vector<float>& values);
Napi::Value toJs(Napi::Env env, const std::vector<Measurement>& measurements);
Napi::Value toJs(Napi::Env env, const StepResult& result);
Napi::Value toJs(Napi::Env env, const RunMemory& memory);

}  // namespace muonscope
