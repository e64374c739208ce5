#include "addon/task.h"

#include <new>

namespace muonscope {

Task::Task(Napi::Env env, std::function<Finish()> work, std::function<void()> settled)
    : AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), settled_(std::move(settled)) {}

Napi::Promise Task::run(Napi::Env env, std::function<Finish()> work, std::function<void()> settled) {
  auto* task = new Task(env, std::move(work), std::move(settled));  // deletes itself when done
  const Napi::Promise promise = task->deferred_.Promise();
  task->Queue();
  return promise;
}

void Task::Execute() {
  try {
    finish_ = work_();
  } catch (const std::bad_alloc&) {
    failed_ = true;
    error_ = "there is not enough memory";
  } catch (const std::exception& error) {
    failed_ = true;
    error_ = error.what();
  } catch (...) {
    failed_ = true;
    error_ = "an unknown native exception";
  }
  work_ = nullptr;  // what it holds (the engine, when disposed of meanwhile) is freed here rather than on the JavaScript thread
}

void Task::OnOK() {
  settled_();
  try {
    settle();
  } catch (const Napi::Error&) {
    // The environment is shutting down (process.exit, a terminated worker): no JavaScript runs any more, and nobody
    // is left to tell.
  }
}

void Task::settle() {
  if (failed_) return deferred_.Reject(Napi::Error::New(Env(), error_).Value());
  try {
    deferred_.Resolve(finish_(Env()));
  } catch (const Napi::Error& error) {
    deferred_.Reject(error.Value());
  } catch (const std::exception& error) {
    deferred_.Reject(Napi::Error::New(Env(), error.what()).Value());
  }
}

}  // namespace muonscope
