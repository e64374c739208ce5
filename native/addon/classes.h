// The classes that the addon defined in one JavaScript environment (main thread, worker), kept as its instance data,
// and how a native object becomes an instance of one.
#pragma once

#include <napi.h>

#include <any>
#include <memory>
#include <stdexcept>
#include <string>

namespace muonscope {

struct Classes {
  Napi::FunctionReference engine, optimizer;
  std::any native;  // a std::shared_ptr, on its way from wrapNative to the constructor; empty at all other times
};

inline Classes& classes(Napi::Env env) { return *env.GetInstanceData<Classes>(); }

// The native object never passes through JavaScript, which could hand the constructor another one: nobody else's call of it
// finds any.
template <class Native>
Napi::Value wrapNative(Napi::Env env, const Napi::FunctionReference& constructor, std::shared_ptr<Native> native) {
  struct Cleared {
    std::any& any;
    ~Cleared() { any.reset(); }
  } passed{classes(env).native};
  passed.any = std::move(native);
  return constructor.New({});
}

template <class Native>
std::shared_ptr<Native> takeNative(const Napi::CallbackInfo& info, const std::string& factory) {
  const std::any native = std::exchange(classes(info.Env()).native, {});
  if (const auto* found = std::any_cast<std::shared_ptr<Native>>(&native)) return *found;
  throw std::runtime_error("expected to be created by " + factory + "(), received a call of the constructor");
}

// A JavaScript object of the addon, known again by its tag: Node-API itself takes any wrapped object for what is asked for.
// `Object` has a static `tag` and `kind`.
template <class Object>
class TaggedObject : public Napi::ObjectWrap<Object> {
 public:
  explicit TaggedObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Object>(info) {
    info.This().As<Napi::Object>().TypeTag(&Object::tag);
  }

  // What methods and accessors find their object with. Throws where `object` is not one.
  static Object* Unwrap(Napi::Object object) {
    if (!object.IsObject() || !object.CheckTypeTag(&Object::tag))
      throw std::invalid_argument(std::string("this: expected ") + Object::kind + ", received something else");
    return Napi::ObjectWrap<Object>::Unwrap(object);
  }
};

}  // namespace muonscope
