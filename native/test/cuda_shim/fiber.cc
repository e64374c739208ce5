// The switch between stacks: by hand for x86-64 (System V ABI) and AArch64 (AAPCS64), where only what a called function must
// preserve is kept; by ucontext, which also asks the kernel for the signal mask, elsewhere.
#include "test/cuda_shim/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
extern "C" void cudaShimSwitch(void** from, void* to);
asm(R"(
  .text
  .hidden cudaShimSwitch
  .globl cudaShimSwitch
  .type cudaShimSwitch, @function
cudaShimSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size cudaShimSwitch, . - cudaShimSwitch
)");
#elif defined(__aarch64__)
extern "C" void cudaShimSwitch(void** from, void* to);
asm(R"(
  .text
  .hidden cudaShimSwitch
  .globl cudaShimSwitch
  .type cudaShimSwitch, %function
cudaShimSwitch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .size cudaShimSwitch, . - cudaShimSwitch
)");
#endif

namespace cudaShim {

namespace {

// Kernels keep little on the stack; AddressSanitizer surrounds every variable. Pages are only taken when touched.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stackBytes = 512 * 1024;
#else
constexpr size_t stackBytes = 128 * 1024;
#endif

Fiber* running = nullptr;   // the fiber that was switched to last
Fiber* previous = nullptr;  // the one before it

}  // namespace

void enterFiber() {
  Fiber* self = running;
  self->arrived();
  self->main_();
  __builtin_trap();  // main returned
}

Fiber::Fiber() {
#if !defined(__x86_64__) && !defined(__aarch64__)
  context_ = new ucontext_t{};
#endif
}

Fiber::Fiber(void (*main)()) : Fiber() {
  main_ = main;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  mapping_ = mmap(nullptr, stackBytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping_, page, PROT_NONE);  // stacks grow down: an overflow ends here
  bottom_ = static_cast<char*>(mapping_) + page;
  // Stacks that all began at the same place in a page would compete for the same lines of the cache.
  static size_t count = 0;
  size_ = stackBytes - (count++ % 32) * 192;
  reset();
}

Fiber::~Fiber() {
  if (mapping_) munmap(mapping_, stackBytes + static_cast<size_t>(sysconf(_SC_PAGESIZE)));
#if !defined(__x86_64__) && !defined(__aarch64__)
  delete static_cast<ucontext_t*>(context_);
#endif
}

void Fiber::reset() {
#ifdef __SANITIZE_ADDRESS__
  if (context_) __asan_unpoison_memory_region(bottom_, size_);
#endif
  fakeStack_ = nullptr;
  char* top = static_cast<char*>(const_cast<void*>(bottom_)) + size_;
#if defined(__x86_64__)
  // Six registers and the address to return to. As after a call, the stack pointer is then 8 below a multiple of 16.
  auto* words = reinterpret_cast<uint64_t*>(top) - 10;
  std::memset(words, 0, 10 * sizeof *words);
  words[6] = reinterpret_cast<uint64_t>(&enterFiber);
  context_ = words;
#elif defined(__aarch64__)
  auto* words = reinterpret_cast<uint64_t*>(top) - 20;
  std::memset(words, 0, 20 * sizeof *words);
  words[11] = reinterpret_cast<uint64_t>(&enterFiber);  // x30
  context_ = words;
#else
  auto* context = static_cast<ucontext_t*>(context_);
  getcontext(context);
  context->uc_stack.ss_sp = const_cast<void*>(bottom_);
  context->uc_stack.ss_size = size_;
  context->uc_link = nullptr;
  makecontext(context, &enterFiber, 0);
  (void)top;
#endif
}

void Fiber::switchTo(Fiber& other) {
  previous = this;
  running = &other;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&fakeStack_, other.bottom_, other.size_);
#endif
#if defined(__x86_64__) || defined(__aarch64__)
  cudaShimSwitch(&context_, other.context_);
#else
  swapcontext(static_cast<ucontext_t*>(context_), static_cast<ucontext_t*>(other.context_));
#endif
  arrived();
}

void Fiber::arrived() {
#ifdef __SANITIZE_ADDRESS__
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(fakeStack_, &bottom, &size);
  if (!previous->mapping_) {  // a stack that this file did not make: only AddressSanitizer knows its bounds
    previous->bottom_ = bottom;
    previous->size_ = size;
  }
#endif
}

}  // namespace cudaShim
