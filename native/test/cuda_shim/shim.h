// What tests of the CUDA backend ask of the stand-in for its runtime: what devices it has, which calls fail, in which order
// threads run, and whether anybody wrote where no memory was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "test/cuda_shim/runtime_types.h"

namespace cudaShim {

enum class Order { ascending, descending, shuffled };

// Of the threads of a block between two waits, of the blocks of a grid, and of the work of a graph that does not depend on each
// other. Also $MUONSCOPE_SHIM_ORDER: ascending (as without),
// descending, or the seed of a shuffle.
void setOrder(Order order, uint64_t seed = 1);

struct Settings {
  int devices = 1;  // all alike; also $MUONSCOPE_SHIM_DEVICES
  int driverVersion = 13000;
  int computeCapabilityMajor = 9, computeCapabilityMinor = 0;
  size_t totalBytes = size_t{1} << 30;  // of each device
  bool peerAccess = true;               // whether the devices can reach each other's memory
  // Work of a stream is done when the host waits for it, or other work that the host waits for does; not when it is enqueued, and
  // no more of it than is waited for. Also $MUONSCOPE_SHIM_LATE=1.
  bool late = false;
  // With `late`: the device whose streams it is about; those of the others do their work as early as they may. -1: all.
  int lateDevice = -1;
};
// Changes hold until they are changed again; `settings() = {}` restores what is the case at the beginning.
Settings& settings();

// The call number `n` from now (1: the next one) of the runtime function `name` (empty: of any) answers `error` and does nothing.
void failCall(int n, cudaError_t error, const std::string& name = "");
// Calls that were to fail do not.
void failNoCall();

// Of the graph that was made executable last: its nodes, and the most of them of which each waits for the one before it.
struct GraphShape {
  size_t nodes = 0, longest = 0;
};
GraphShape latestGraph();

// Allocated by cudaMalloc, on all devices, and not freed.
size_t allocatedBytes();
// Throws, naming the allocation, when memory beside one was written. Also done after kernels and at
// synchronisations (see checkGuardsInTurn) and when memory is freed. Under AddressSanitizer, the access itself ends the program.
void checkGuards();

}  // namespace cudaShim
