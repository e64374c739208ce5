// Streams, and the work that is enqueued on them.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "test/cuda_shim/graph.h"
#include "test/cuda_shim/runtime.h"
#include "test/cuda_shim/stream_hook.h"

namespace cudaShim {
struct Capture;
}

struct CUstream_st : cudaShim::StreamHook {
  int device;
  std::deque<std::function<void()>> pending;  // when settings().late
  // While it is captured:
  std::shared_ptr<cudaShim::Capture> capture;
  std::vector<size_t> last;  // what its next work waits for, ascending
};

namespace cudaShim {

// Of all streams there are; the null stream has no object.
std::vector<CUstream_st*>& streams();
bool isStream(cudaStream_t stream);
// The null stream is the current device's.
int deviceOfStream(cudaStream_t stream);

// Runs, keeps for later or captures. nullptr: the null stream.
cudaError_t enqueue(cudaStream_t stream, CUgraphNode_st work);
// Whether what is enqueued now is kept for later.
bool isLate(const CUstream_st& stream);
// The next of what was kept for later; false: there is none.
bool runNext(CUstream_st& stream);
// All that was kept for later, of a stream, of a device's streams or of all.
void runPending(CUstream_st& stream);
void runPending(int device);
void runPending();

}  // namespace cudaShim
