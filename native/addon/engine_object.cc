#include "addon/engine_object.h"

#include "addon/classes.h"
#include "addon/input.h"
#include "addon/output.h"
#include "addon/session.h"
#include "core/engine.h"

namespace muonscope {
namespace {

constexpr int64_t kMostRanks = 1 << 16;
constexpr int64_t kLargestSafeInteger = (int64_t{1} << 53) - 1;
constexpr int64_t kAnySize = int64_t{1} << 31;  // the model says which sizes can be

EngineConfig readConfig(const Input& config) {
  const Input model = config["model"];
  return {
      .backend = config["backend"].string(),
      .options = config.backendOptions(),
      .seed = static_cast<uint64_t>(config["seed"].integer(0, kLargestSafeInteger)),
      .model = {.vocabulary = model["vocabulary"].integer(1, kAnySize),
                .layers = model["layers"].integer(1, kAnySize),
                .width = model["width"].integer(1, kAnySize),
                .heads = model["heads"].integer(1, kAnySize),
                .context = model["context"].integer(1, kAnySize),
                .zeroProjections = model["zeroProjections"].boolean(),
                .recompute = model["recompute"].boolean()},
      .batch = config["batch"].integer(1, kAnySize),
      .preset = config["preset"].string(),
      .matrixKnobs = config["optimizer"].knobs(),
      .auxiliaryKnobs = config["auxiliary"].knobs(),
      .ranks = static_cast<int>(config["ranks"].integer(1, kMostRanks)),
  };
}

class EngineObject final : public TaggedObject<EngineObject> {
 public:
  static constexpr napi_type_tag tag = {0x6f1d2c0b9a47e835, 0x8c3e51f7d42ab069};  // random
  static constexpr const char* kind = "an engine";

  explicit EngineObject(const Napi::CallbackInfo& info)
      : TaggedObject(info), session_(takeNative<Engine>(info, "createEngine"), "the engine") {}

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {InstanceAccessor<&EngineObject::backend>("backend"), InstanceAccessor<&EngineObject::memory>("memory"),
                        InstanceMethod<&EngineObject::parameters>("parameters"), InstanceMethod<&EngineObject::step>("step"),
                        InstanceMethod<&EngineObject::evaluate>("evaluate"),
                        InstanceMethod<&EngineObject::measured>("measured"),
                        InstanceMethod<&EngineObject::gradients>("gradients"), InstanceMethod<&EngineObject::set>("set"),
                        InstanceMethod<&EngineObject::values>("values"), InstanceMethod<&EngineObject::save>("save"),
                        InstanceMethod<&EngineObject::load>("load"), InstanceMethod<&EngineObject::dispose>("dispose")});
  }

 private:
  Napi::Value backend(const Napi::CallbackInfo& info) {
    const auto engine = session_.constant();
    const BackendInfo& backend = engine->backend();
    auto object = Napi::Object::New(info.Env());
    object["id"] = backend.id;
    object["available"] = Napi::Boolean::New(info.Env(), true);
    object["detail"] = backend.description;
    object["devices"] = Napi::Array::New(info.Env());
    return object;
  }

  Napi::Value memory(const Napi::CallbackInfo& info) { return toJs(info.Env(), session_.constant()->memory()); }

  Napi::Value parameters(const Napi::CallbackInfo& info) { return toJs(info.Env(), session_.constant()->parameters()); }

  Napi::Value step(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      const Input options(info, 1, "step: options");
      return start(info, [tokens = Input(info, 0, "step: tokens").tokens(),
                          chosen = StepOptions{options["lrScale"].number(), options["clip"].number(),
                                               options["measure"].measureRequests(), options["phases"].boolean()}](Engine& engine) -> Finish {
        return [result = engine.step(tokens, chosen)](Napi::Env env) { return toJs(env, result); };
      });
    });
  }

  Napi::Value measured(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return start(info, [](Engine& engine) -> Finish {
        return [result = engine.measured()](Napi::Env env) { return toJs(env, result); };
      });
    });
  }

  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return start(info, [tokens = Input(info, 0, "evaluate: tokens").tokens()](Engine& engine) -> Finish {
        return [loss = engine.evaluate(tokens)](Napi::Env env) { return Napi::Number::New(env, loss); };
      });
    });
  }

  Napi::Value gradients(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return start(info, [tokens = Input(info, 0, "gradients: tokens").tokens()](Engine& engine) -> Finish {
        return [result = engine.gradients(tokens)](Napi::Env env) {
          auto object = Napi::Object::New(env);
          object["loss"] = result.loss;
          object["tensors"] = toJs(env, result.tensors);
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

  Napi::Value values(const Napi::CallbackInfo& info) {
    const std::string name = Input(info, 0, "values: parameter").string();
    return toJs(info.Env(), session_.idle()->values(name));
  }

  Napi::Value save(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return start(info, [](Engine& engine) -> Finish {
        return [checkpoint = engine.save()](Napi::Env env) {
          auto object = Napi::Object::New(env);
          object["step"] = double(checkpoint.step);
          object["tensors"] = toJs(env, checkpoint.tensors);
          return object;
        };
      });
    });
  }

  Napi::Value load(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return start(info, [checkpoint = Checkpoint{Input(info, 0, "load: step").integer(0, kLargestSafeInteger),
                                                  Input(info, 1, "load: tensors").tensors()}](Engine& engine) -> Finish {
        engine.load(checkpoint);
        return [](Napi::Env env) { return env.Undefined(); };
      });
    });
  }

  void dispose(const Napi::CallbackInfo&) { session_.dispose(); }

  Napi::Value start(const Napi::CallbackInfo& info, std::function<Finish(Engine&)> work) {
    return session_.start(info.This().As<Napi::Object>(), std::move(work));
  }

  Session<Engine> session_;
};

}  // namespace

Napi::Function engineClass(Napi::Env env) { return EngineObject::define(env); }

Napi::Value createEngine(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] {
    return Task::run(info.Env(), [config = readConfig(Input(info, 0, "createEngine: config"))]() -> Finish {
      return [engine = std::make_shared<Engine>(config)](Napi::Env env) {
        return wrapNative(env, classes(env).engine, engine);
      };
    });
  });
}

}  // namespace muonscope
