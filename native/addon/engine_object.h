// `Engine` of extension/trainer/addon.ts.
#pragma once

#include <napi.h>

namespace muonscope {

Napi::Function engineClass(Napi::Env env);

// createEngine(config): Promise<Engine>
Napi::Value createEngine(const Napi::CallbackInfo& info);

}  // namespace muonscope
