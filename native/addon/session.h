// A native object behind a JavaScript one: one call at a time, and safe to dispose of while a call runs.
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
  const Native& constant() const {
    if (!native_) throw std::runtime_error(what_ + " was disposed of: create another one");
    return *native_;
  }

  // For calls that return at once. Throws when disposed of, or when a call is running.
  Native& idle() const {
    constant();
    if (*busy_) throw std::runtime_error(what_ + " does one call at a time: await the promise of the last one first");
    return *native_;
  }

  // Runs `work` on another thread. `owner`, the JavaScript object, is kept alive until the promise settles.
  Napi::Promise start(Napi::Object owner, std::function<Finish(Native&)> work) {
    idle();
    *busy_ = true;
    auto kept = std::make_shared<Napi::ObjectReference>(Napi::Persistent(owner));
    return Task::run(
        owner.Env(), [native = native_, work = std::move(work)] { return work(*native); },
        [busy = busy_, kept] {
          *busy = false;
          kept->Reset();
        });
  }

  // Memory is freed at once, or when the call that runs is done.
  void dispose() { native_.reset(); }

 private:
  std::shared_ptr<Native> native_;
  std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);
  const std::string what_;
};

}  // namespace muonscope
