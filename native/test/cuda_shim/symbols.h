// The symbol table of the file that the emulated kernels were linked into, for names of kernels and addresses of static shared memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cudaShim {

struct Symbol {
  std::string name;  // as the linker knows it
  uint64_t value, size;
};

struct Module {
  uint64_t base = 0;  // where it was loaded: values of functions count from here
  std::vector<Symbol> functions, threadLocals;

  const Symbol* function(const void* address) const;
};

// Read once; without symbols where the file was stripped.
const Module& ownModule();
// Where values of thread_local variables of this module count from.
void* threadLocalsOfThisThread();

// As it is written in C++, or its address.
std::string functionName(const void* address);

}  // namespace cudaShim
