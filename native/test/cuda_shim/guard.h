// Zones beside memory that was given out. As numbers of any floating-point type they are NaN, but not the one that operations answer,
// so that neither reading nor writing them goes unseen. AddressSanitizer, where it is, forbids all access instead.
#pragma once

#include <cstddef>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace cudaShim {

constexpr unsigned char guardByte(size_t i) { return i % 4 == 3 ? 0x7f : 0xff; }

inline void closeGuard(unsigned char* begin, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(begin, bytes);
#else
  for (size_t i = 0; i < bytes; ++i) begin[i] = guardByte(i);
#endif
}

inline void openGuard(unsigned char* begin, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(begin, bytes);
#else
  (void)begin, (void)bytes;
#endif
}

inline bool guardIsWhole(const unsigned char* begin, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  (void)begin, (void)bytes;
  return true;
#else
  bool whole = true;
  for (size_t i = 0; i < bytes; ++i) whole &= begin[i] == guardByte(i);
  return whole;
#endif
}

}  // namespace cudaShim
