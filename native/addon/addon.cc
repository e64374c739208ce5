// The addon's entry: `Addon` of extension/trainer/addon.ts.
#include <napi.h>

#include "addon/classes.h"
#include "addon/engine_object.h"
#include "addon/optimizer_object.h"
#include "addon/output.h"

namespace muonscope {

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Classes{Napi::Persistent(engineClass(env)), Napi::Persistent(optimizerClass(env)), {}});
  exports["version"] = MUONSCOPE_VERSION;
  exports["describe"] =
      Napi::Function::New(env, [](const Napi::CallbackInfo& info) { return toJs(info.Env(), describe()); }, "describe");
  exports["backends"] =
      Napi::Function::New(env, [](const Napi::CallbackInfo& info) { return toJs(info.Env(), listBackends()); }, "backends");
  exports["createEngine"] = Napi::Function::New<createEngine>(env, "createEngine");
  exports["createOptimizer"] = Napi::Function::New<createOptimizer>(env, "createOptimizer");
  return exports;
}

}  // namespace muonscope

using muonscope::initialize;
NODE_API_MODULE(muonscope, initialize)
