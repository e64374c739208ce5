// Work off the JavaScript thread with a promise for its result: the one place where a C++ exception becomes a rejection.
#pragma once

#include <napi.h>

#include <functional>
#include <string>

namespace muonscope {

// Makes the JavaScript value of a result, on the JavaScript thread.
using Finish = std::function<Napi::Value(Napi::Env)>;

class Task final : public Napi::AsyncWorker {
 public:
  // `work` runs on a thread of the pool of libuv and must not touch JavaScript. `settled` is called on the JavaScript
  // thread before the promise settles.
  static Napi::Promise run(Napi::Env env, std::function<Finish()> work, std::function<void()> settled = [] {});

 protected:
  void Execute() override;
  void OnOK() override;

 private:
  Task(Napi::Env env, std::function<Finish()> work, std::function<void()> settled);
  void settle();

  Napi::Promise::Deferred deferred_;
  std::function<Finish()> work_;
  std::function<void()> settled_;
  Finish finish_;
  bool failed_ = false;
  std::string error_;
};

// For functions that return a promise: what `start` throws rejects instead.
template <class Start>
Napi::Value promised(Napi::Env env, const Start& start) {
  try {
    return start();
  } catch (const Napi::Error& e) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(e.Value());
    return deferred.Promise();
  } catch (const std::exception& e) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(Napi::Error::New(env, e.what()).Value());
    return deferred.Promise();
  }
}

}  // namespace muonscope
