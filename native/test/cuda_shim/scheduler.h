// Runs a kernel: blocks one after the other, the threads of a block by turns that end where a thread has to wait for others.
#pragma once

#include <cstddef>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "test/cuda_shim/language.h"

namespace cudaShim {

constexpr unsigned lanesPerWarp = 32;
// CUDA C++ Programming Guide, "Compute Capabilities", technical specifications for 9.0.
constexpr unsigned maxThreads = 1024;
constexpr size_t sharedWithoutAsking = 48 * 1024, maxShared = 227 * 1024;

// One of a kernel, as bytes.
struct Parameter {
  const void* object;
  size_t bytes;
};

struct Launch {
  const void* kernel;
  dim3 grid, block;
  size_t sharedBytes;
  void (*thread)(const void* arguments);  // what one thread does
  std::shared_ptr<const void> arguments;
  std::vector<Parameter> parameters;  // within the arguments
};

// One at a time: the caller holds apiLock().
void runGrid(const Launch& launch);

// ---- for the code of kernels ----

// Throws, with kernel, block and thread.
[[noreturn]] void fail(const std::string& what);

void waitForBlock(std::source_location where);

// Waits until every lane of `mask` has come to the same `what`; then act(slots, mask), where slots[lane] is what that lane passed
// as `slot`, runs once for all of them.
void meetLanes(const char* what, unsigned mask, void* slot, void (*act)(void* const* slots, unsigned mask),
               std::source_location where);

// The number of the running thread in its block.
unsigned threadNumber();
unsigned char* dynamicShared();
// Throws unless the bytes are shared memory of this block and aligned to 16.
void checkShared(const void* p, size_t bytes, const char* what);

}  // namespace cudaShim
