// Dynamic shared memory is one buffer with a guard zone after what a launch asked for. Static shared memory is thread_local
// variables of functions in muonscope::cuda (language.h), found by their names in the symbol table. All of it is NaN when a block
// begins: what a kernel reads before it wrote it shows. Not so under AddressSanitizer, where static shared memory has no such mark
// and keeps what the last block left.
#include "test/cuda_shim/shared_memory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "test/cuda_shim/async_copy.h"
#include "test/cuda_shim/guard.h"
#include "test/cuda_shim/scheduler.h"
#include "test/cuda_shim/symbols.h"

namespace cudaShim {

namespace {

alignas(1024) std::array<unsigned char, maxShared + 1024> dynamic;
constexpr size_t guardBytes = 1024;
size_t asked = 0;

struct Piece {
  unsigned char* begin;
  size_t size;
};

// Variables of other kernels are left as they are: filling them for every block would cost more than the block. Those of functions
// that kernels call are not known to belong to one; small ones are filled for every kernel.
constexpr size_t smallBytes = 4096;

std::vector<Piece> variablesOf(const void* kernel) {
  std::vector<Piece> pieces;
  const Module& module = ownModule();
  const Symbol* function = module.function(kernel);
  const std::string own = function ? "_ZZ" + function->name.substr(2) + "E" : "";
  for (const Symbol& symbol : module.threadLocals) {
    const bool shared = symbol.name.starts_with("_ZZN9muonscope4cuda");
    if (shared && (symbol.size <= smallBytes || symbol.name.starts_with(own)))
      pieces.push_back({static_cast<unsigned char*>(threadLocalsOfThisThread()) + symbol.value, symbol.size});
  }
  return pieces;
}

// thread_local as what they hold is: a thread's addresses.
const std::vector<Piece>& cachedVariablesOf(const void* kernel) {
  static thread_local std::map<const void*, std::vector<Piece>> known;
  const auto [at, isNew] = known.try_emplace(kernel);
  if (isNew) at->second = variablesOf(kernel);
  return at->second;
}

}  // namespace

unsigned char* dynamicShared() { return dynamic.data(); }

void fillShared(size_t bytes, const void* kernel) {
  openGuard(dynamic.data(), dynamic.size());
  asked = bytes;
  std::memset(dynamic.data(), 0xff, bytes);
  closeGuard(dynamic.data() + bytes, guardBytes);
  for (const Piece& piece : cachedVariablesOf(kernel)) std::memset(piece.begin, 0xff, piece.size);
  forgetCopies();
}

void checkSharedGuard(size_t bytes) {
  if (guardIsWhole(dynamic.data() + bytes, guardBytes)) return;
  fail("Dynamic shared memory was written beyond the " + std::to_string(bytes) + " bytes that the launch asked for");
}

void checkShared(const void* p, size_t bytes, const char* what) {
  const auto* begin = static_cast<const unsigned char*>(p);
  if (reinterpret_cast<uintptr_t>(p) % 16) fail(std::string(what) + ": an address in shared memory that is not aligned to 16 bytes");
  const bool isDynamic = begin >= dynamic.data() && begin < dynamic.data() + dynamic.size();
  if (isDynamic && begin + bytes > dynamic.data() + asked)
    fail(std::string(what) + ": an address beyond the " + std::to_string(asked) + " bytes of dynamic shared memory");
}

}  // namespace cudaShim
