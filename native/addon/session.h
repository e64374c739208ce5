// A native object behind a JavaScript one: one call at a time, and safe to dispose of while a call runs.
//
// JavaScript runs while arguments are read and while results are made (getters, setters, proxies), and may do anything there:
// call again, dispose. So methods read all their arguments before they ask for the native object, and hold it while they use it.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "addon/task.h"

namespace muonscope {

template <class Native>
class Session {
 public:
  // `what`: how messages call it, "the engine".
  Session(std::shared_ptr<Native> native, std::string what) : native_(std::move(native)), what_(std::move(what)) {}

  // For facts that never change. Throws when disposed of.
  std::shared_ptr<const Native> constant() const { return held(); }

  // For calls that return at once. Throws when disposed of, or when a call is running.
  std::shared_ptr<Native> idle() const {
    auto native = held();
    if (*busy_) throw std::runtime_error(what_ + " does one call at a time: await the promise of the last one first");
    return native;
  }

  // Runs `work` on another thread. `owner`, the JavaScript object, is kept alive until the promise settles.
  Napi::Promise start(Napi::Object owner, std::function<Finish(Native&)> work) {
    auto kept = std::make_shared<Napi::ObjectReference>(Napi::Persistent(owner));
    const Napi::Promise promise = Task::run(
        owner.Env(), [native = idle(), work = std::move(work)] { return work(*native); },
        [busy = busy_, kept] {
          *busy = false;
          kept->Reset();
        });
    *busy_ = true;
    return promise;
  }

  // Memory is freed at once, or when the call that runs is done.
  void dispose() { native_.reset(); }

 private:
  std::shared_ptr<Native> held() const {
    if (!native_) throw std::runtime_error(what_ + " was disposed of: create another one");
    return native_;
  }

  std::shared_ptr<Native> native_;
  std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);
  const std::string what_;
};

}  // namespace muonscope
