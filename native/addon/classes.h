// The classes that the addon defined in one JavaScript environment (main thread, worker), kept as its instance data,
// and how a native object becomes an instance of one.
#pragma once

#include <napi.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace muonscope {

struct Classes {
  Napi::FunctionReference engine, optimizer;
};

inline Classes& classes(Napi::Env env) { return *env.GetInstanceData<Classes>(); }

// new Class(External): only the create… functions can make one.
template <class Native>
Napi::Value wrapNative(Napi::Env env, const Napi::FunctionReference& constructor, std::shared_ptr<Native> native) {
  return constructor.New({Napi::External<std::shared_ptr<Native>>::New(env, &native)});
}

template <class Native>
std::shared_ptr<Native> takeNative(const Napi::CallbackInfo& info, const std::string& factory) {
  if (info.Length() != 1 || !info[0].IsExternal())
    throw std::runtime_error("expected to be created by " + factory + "(), received a call of the constructor");
  return *info[0].As<Napi::External<std::shared_ptr<Native>>>().Data();
}

}  // namespace muonscope
