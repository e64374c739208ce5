// `BareOptimizer` of extension/trainer/addon.ts.
#pragma once

#include <napi.h>

namespace muonscope {

Napi::Function optimizerClass(Napi::Env env);

// createOptimizer(config): Promise<BareOptimizer>
Napi::Value createOptimizer(const Napi::CallbackInfo& info);

}  // namespace muonscope
