#include "addon/task.h"

#include <memory>
#include <new>
#include <stdexcept>

namespace muonscope {

Task::Task(Napi::Env env, std::function<Finish()> work, std::function<void()> settled)
    : AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), settled_(std::move(settled)) {}

Napi::Promise Task::run(Napi::Env env, std::function<Finish()> work, std::function<void()> settled) {
  std::unique_ptr<Task> task(new Task(env, std::move(work), std::move(settled)));
  const Napi::Promise promise = task->deferred_.Promise();
  task->Queue();
  task.release();  // deletes itself when done
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
    // Either the environment is shutting down (process.exit, a terminated worker): no JavaScript runs any more, and nobody
    // is left to tell. Or the result's `then` throws: with that the promise is rejected already.
  }
}

// Settled is settled, also where it throws: a promise that is told of twice is freed twice.
void Task::settle() {
  Napi::Value outcome;
  bool fulfilled = false;
  try {
    if (failed_) throw std::runtime_error(error_);
    outcome = finish_(Env());
    fulfilled = true;
  } catch (const Napi::Error& error) {
    outcome = error.Value();
  } catch (const std::exception& error) {
    outcome = Napi::Error::New(Env(), error.what()).Value();
  }
  fulfilled ? deferred_.Resolve(outcome) : deferred_.Reject(outcome);
}

}  // namespace muonscope
