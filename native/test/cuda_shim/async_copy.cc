// A copy is carried out as late as PTX allows, in the wait for its group: then a wait that is missing or too short shows. Its target
// is spoiled as early as PTX allows, when the copy is asked for: then a target that is still read shows.
#include "test/cuda_shim/async_copy.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "test/cuda_shim/scheduler.h"

namespace cudaShim {

namespace {

constexpr size_t copyBytes = 16;

struct Copy {
  void* to;
  const void* from;  // nullptr: zeros
  int group;
};

struct Queue {
  int groups = 0;  // closed ones, since the block began
  std::vector<Copy> copies;
};

std::array<Queue, maxThreads>& queues() {
  static std::array<Queue, maxThreads> all;
  return all;
}
bool used = false;

}  // namespace

void copyLater(void* shared, const void* global, bool valid) {
  checkShared(shared, copyBytes, "cp.async");
  if (reinterpret_cast<uintptr_t>(global) % copyBytes) fail("cp.async from global memory that is not aligned to 16 bytes");
  std::memset(shared, 0xff, copyBytes);
  Queue& queue = queues()[threadNumber()];
  queue.copies.push_back({shared, valid ? global : nullptr, queue.groups});
  used = true;
}

void closeGroup() {
  ++queues()[threadNumber()].groups;
  used = true;
}

void waitForGroups(int pending) {
  Queue& queue = queues()[threadNumber()];
  size_t kept = 0;
  for (const Copy& copy : queue.copies) {
    if (copy.group >= queue.groups - pending)
      queue.copies[kept++] = copy;
    else if (copy.from)
      std::memcpy(copy.to, copy.from, copyBytes);
    else
      std::memset(copy.to, 0, copyBytes);
  }
  queue.copies.resize(kept);
}

void forgetCopies() {
  if (!used) return;
  for (Queue& queue : queues()) {
    queue.groups = 0;
    queue.copies.clear();
  }
  used = false;
}

}  // namespace cudaShim
