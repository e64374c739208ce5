// Stacks that a function can be left on and gone back to: a thread of a block runs on one of its own once it has waited.
#pragma once

#include <cstddef>

namespace cudaShim {

class Fiber {
 public:
  // `main` never returns: it leaves with switchTo.
  explicit Fiber(void (*main)());
  Fiber();  // the stack that the caller runs on
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves `this`, which must be running, and goes on with `other`; returns when somebody comes back.
  void switchTo(Fiber& other);
  // Forgets what was on the stack: the next switch to it begins `main` anew.
  void reset();

 private:
  friend void enterFiber();
  void arrived();

  void (*main_)() = nullptr;
  void* context_ = nullptr;  // the stack pointer, or a ucontext_t where the switch is not written by hand
  void* mapping_ = nullptr;
  const void* bottom_ = nullptr;
  size_t size_ = 0;
  void* fakeStack_ = nullptr;  // AddressSanitizer's
};

}  // namespace cudaShim
