#include "addon/optimizer_object.h"

#include "addon/classes.h"
#include "addon/input.h"
#include "addon/output.h"
#include "addon/session.h"
#include "core/bare_optimizer.h"

namespace muonscope {
namespace {

constexpr int64_t kMostRanks = 1 << 16;

BareOptimizerConfig readConfig(const Input& config) {
  BareOptimizerConfig result{
      .backend = config["backend"].string(),
      .options = config.backendOptions(),
      .preset = config["preset"].string(),
      .matrixKnobs = config["optimizer"].knobs(),
      .auxiliaryKnobs = config["auxiliary"].knobs(),
      .ranks = static_cast<int>(config["ranks"].integer(1, kMostRanks)),
      .parameters = {},
  };
  config["parameters"].each([&](const Input& item) { result.parameters.push_back({item.tensor(), item["group"].group()}); });
  return result;
}

class OptimizerObject final : public TaggedObject<OptimizerObject> {
 public:
  static constexpr napi_type_tag tag = {0x2b94c7e05d18f3a6, 0xe70a3f6b19c58d42};  // random
  static constexpr const char* kind = "an optimizer";

  explicit OptimizerObject(const Napi::CallbackInfo& info)
      : TaggedObject(info), session_(takeNative<BareOptimizer>(info, "createOptimizer"), "the optimizer") {}

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "BareOptimizer",
                       {InstanceMethod<&OptimizerObject::step>("step"), InstanceMethod<&OptimizerObject::set>("set"),
                        InstanceMethod<&OptimizerObject::weight>("weight"),
                        InstanceMethod<&OptimizerObject::stateNames>("stateNames"),
                        InstanceMethod<&OptimizerObject::state>("state"),
                        InstanceMethod<&OptimizerObject::dispose>("dispose")});
  }

 private:
  Napi::Value step(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return session_.start(
          info.This().As<Napi::Object>(), [gradients = Input(info, 0, "step: gradients").tensors(),
                                           lrScale = Input(info, 1, "step: lrScale").number()](BareOptimizer& optimizer) -> Finish {
            return [result = optimizer.step(gradients, lrScale)](Napi::Env env) {
              auto object = Napi::Object::New(env);
              object["seconds"] = result.seconds;
              object["phases"] = toJs(env, result.phases);
              return object;
            };
          });
    });
  }

  Napi::Value set(const Napi::CallbackInfo& info) {
    const Group group = Input(info, 0, "set: group").group();
    const KnobValues values = Input(info, 1, "set: values").knobs();
    const std::string scope = Input(info, 2, "set: scope").string();
    session_.idle()->set(group, values, scope);
    return info.Env().Undefined();
  }

  Napi::Value weight(const Napi::CallbackInfo& info) {
    const std::string name = Input(info, 0, "weight: name").string();
    return toJs(info.Env(), session_.idle()->weight(name));
  }

  Napi::Value stateNames(const Napi::CallbackInfo& info) { return toJs(info.Env(), session_.idle()->stateNames()); }

  Napi::Value state(const Napi::CallbackInfo& info) {
    const std::string name = Input(info, 0, "state: name").string();
    return toJs(info.Env(), session_.idle()->state(name));
  }

  void dispose(const Napi::CallbackInfo&) { session_.dispose(); }

  Session<BareOptimizer> session_;
};

}  // namespace

Napi::Function optimizerClass(Napi::Env env) { return OptimizerObject::define(env); }

Napi::Value createOptimizer(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] {
    return Task::run(info.Env(), [config = readConfig(Input(info, 0, "createOptimizer: config"))]() -> Finish {
      return [optimizer = std::make_shared<BareOptimizer>(config)](Napi::Env env) {
        return wrapNative(env, classes(env).optimizer, optimizer);
      };
    });
  });
}

}  // namespace muonscope
