// The stand-in for the CUDA runtime: memory, streams, events, graphs, and calls that fail.
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "test/cuda_shim/stream_hook.h"
#include "test/cuda_shim_fixture.h"

namespace muonscope::cuda {
namespace {

__global__ void add(float* x, float value, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] += value;
}

__global__ void subtract(float* x, float value, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] -= value;
}

__global__ void writeAt(float* x, int i) { x[i] = 1; }

}  // namespace
}  // namespace muonscope::cuda

using namespace muonscope;
using namespace muonscope::cuda;
using test::shimStream;

namespace {

// Whatever a test sets is put back.
struct Restore {
  cudaShim::Settings before = cudaShim::settings();
  ~Restore() {
    cudaShim::settings() = before;
    cudaShim::failNoCall();
    cudaGetLastError();
  }
};

struct Memory {
  explicit Memory(size_t floats) { check(cudaMalloc(&data, floats * sizeof *data), "allocating"); }
  ~Memory() { cudaFree(data); }
  float* data = nullptr;
};

// The graph of what `work` enqueues.
template <class Work>
cudaGraph_t capture(const Work& work) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(shimStream().handle, cudaStreamCaptureModeGlobal), "capturing");
  work();
  check(cudaStreamEndCapture(shimStream().handle, &graph), "ending a capture");
  return graph;
}

}  // namespace

TEST("cuda shim: memory is aligned, NaN, and counted") {
  const Restore restore;
  const size_t before = cudaShim::allocatedBytes();
  size_t free = 0, total = 0;
  {
    const Memory memory(5);
    CHECK_EQ(reinterpret_cast<uintptr_t>(memory.data) % 256, uintptr_t{0});
    for (int i = 0; i < 5; ++i) CHECK(std::isnan(memory.data[i]));
    CHECK_EQ(cudaShim::allocatedBytes(), before + 20);
    cudaShim::settings().totalBytes = before + 100;
    CHECK_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
    CHECK(free == 80 && total == before + 100);
    void* more = nullptr;
    CHECK_EQ(cudaMalloc(&more, 81), cudaErrorMemoryAllocation);
    CHECK(!more);
  }
  CHECK_EQ(cudaShim::allocatedBytes(), before);
  int local = 0;
  CHECK_EQ(cudaFree(&local), cudaErrorInvalidValue);
}

TEST("cuda shim: writing beside an allocation is found, with the kernel that did it") {
  if (test::sanitized) return test::skip("AddressSanitizer ends the program at such an access");
  const Memory memory(5);
  CHECK_THROWS(launch(shimStream(), writeAt, 1, 1, 0, memory.data, 6), "Memory was written 4 bytes after the end of allocation number");
  const Memory other(5);
  CHECK_THROWS(launch(shimStream(), writeAt, 1, 1, 0, other.data, -3), "of 20 bytes (kernel muonscope::cuda::(anonymous namespace)::writeAt(float*, int)).");
  const Memory third(5), fourth(5);
  third.data[5] = 1;
  CHECK_THROWS(cudaStreamSynchronize(shimStream().handle), "0 bytes after the end of allocation");
  float* fifth = nullptr;
  check(cudaMalloc(&fifth, 4), "allocating");
  fifth[-1] = 2;
  CHECK_THROWS(cudaFree(fifth), "4 bytes before the beginning of allocation");
  cudaShim::checkGuards();  // what was reported is not reported again
}

TEST("cuda shim: copies know where memory ends and on which side it is") {
  const Memory memory(4);
  std::vector<float> host = {1, 2, 3, 4, 5};
  const auto stream = shimStream().handle;
  CHECK_EQ(cudaMemcpyAsync(memory.data, host.data(), 16, cudaMemcpyHostToDevice, stream), cudaSuccess);
  CHECK(std::memcmp(memory.data, host.data(), 16) == 0);
  CHECK_EQ(cudaMemcpyAsync(memory.data, host.data(), 20, cudaMemcpyHostToDevice, stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemcpyAsync(memory.data + 1, host.data(), 16, cudaMemcpyHostToDevice, stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemcpyAsync(memory.data, host.data(), 16, cudaMemcpyDeviceToHost, stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemcpy(host.data(), memory.data, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemsetAsync(memory.data, 0, 17, stream), cudaErrorInvalidValue);
  CHECK_EQ(cudaMemsetAsync(memory.data, 0, 16, stream), cudaSuccess);
  CHECK_EQ(memory.data[3], 0.0f);
  cudaGetLastError();
}

TEST("cuda shim: a call fails where a test wants it") {
  const Restore restore;
  void* p = nullptr;
  cudaShim::failCall(2, cudaErrorIllegalAddress, "cudaMalloc");
  CHECK_EQ(cudaMalloc(&p, 8), cudaSuccess);
  CHECK_EQ(cudaFree(p), cudaSuccess);
  CHECK_EQ(cudaMalloc(&p, 8), cudaErrorIllegalAddress);
  CHECK_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  CHECK_EQ(cudaGetLastError(), cudaSuccess);
  CHECK_EQ(cudaMalloc(&p, 8), cudaSuccess);
  CHECK_EQ(cudaFree(p), cudaSuccess);
  cudaShim::failCall(1, cudaErrorLaunchFailure);
  float x = 0;
  CHECK_THROWS(launch(shimStream(), add, 1, 1, 0, &x, 1.0f, 1), "cudaErrorLaunchFailure");
  CHECK_EQ(x, 0.0f);
}

TEST("cuda shim: the device is what the settings say") {
  const Restore restore;
  int value = 0;
  cudaDeviceProp properties;
  CHECK_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  CHECK(std::string(properties.name) == "Emulated device" && properties.major == 9 && properties.multiProcessorCount == 4);
  CHECK_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  cudaShim::settings().devices = 0;
  CHECK_EQ(cudaGetDeviceCount(&value), cudaErrorNoDevice);
  cudaShim::settings().driverVersion = 12080;
  CHECK_EQ(cudaGetDeviceCount(&value), cudaErrorInsufficientDriver);
  CHECK_EQ(value, 0);
}

TEST("cuda shim: a graph does what was captured, with the arguments of then") {
  std::vector<float> x = {1, 2}, y(2);
  float value = 10;
  const auto graph = capture([&] {
    launch(shimStream(), add, 1, 32, 0, x.data(), value, 2);
    check(cudaMemcpyAsync(y.data(), x.data(), 8, cudaMemcpyDeviceToDevice, shimStream().handle), "copying");
    check(cudaMemsetAsync(x.data(), 0, 4, shimStream().handle), "zeroing");
  });
  CHECK(x[0] == 1 && y[0] == 0);
  value = 20;
  size_t nodes = 0;
  CHECK_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  CHECK_EQ(nodes, size_t{3});
  cudaGraphExec_t exec = nullptr;
  CHECK_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  for (int i = 0; i < 2; ++i) CHECK_EQ(cudaGraphLaunch(exec, shimStream().handle), cudaSuccess);
  CHECK(x[0] == 0 && x[1] == 22 && y[0] == 10 && y[1] == 22);

  // The same kinds of work with other arguments go into what was instantiated; other work does not.
  const auto with = [&](auto kernel, size_t bytes) {
    return capture([&] {
      launch(shimStream(), kernel, 1, 32, 0, x.data(), 100.0f, 2);
      check(cudaMemcpyAsync(y.data(), x.data(), bytes, cudaMemcpyDeviceToDevice, shimStream().handle), "copying");
      check(cudaMemsetAsync(x.data(), 0, 4, shimStream().handle), "zeroing");
    });
  };
  cudaGraphExecUpdateResultInfo info{};
  for (const auto& [other, result] :
       {std::pair{with(add, 4), cudaGraphExecUpdateSuccess}, std::pair{with(subtract, 4), cudaGraphExecUpdateErrorFunctionChanged},
        std::pair{with(add, 0), cudaGraphExecUpdateErrorTopologyChanged}}) {
    CHECK_EQ(cudaGraphExecUpdate(exec, other, &info) == cudaSuccess, result == cudaGraphExecUpdateSuccess);
    CHECK_EQ(info.result, result);
    cudaGraphDestroy(other);
  }
  CHECK_EQ(cudaGraphDestroy(graph), cudaSuccess);
  CHECK_EQ(cudaGraphLaunch(exec, shimStream().handle), cudaSuccess);
  CHECK(y[0] == 100 && y[1] == 22 && x[1] == 122);
  CHECK_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  cudaGetLastError();
}

TEST("cuda shim: what must not be done while capturing") {
  const auto stream = shimStream().handle;
  const Memory memory(1);
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "making an event");
  float host = 0;
  void* p = nullptr;
  const std::vector<std::function<cudaError_t()>> forbidden = {
      [&] { return cudaMalloc(&p, 4); },
      [&] { return cudaFree(memory.data); },
      [&] { return cudaMallocHost(&p, 4); },
      [&] { return cudaStreamSynchronize(stream); },
      [&] { return cudaDeviceSynchronize(); },
      [&] { return cudaEventQuery(event); },
      [&] { return cudaEventSynchronize(event); },
      [&] { return cudaMemcpy(&host, memory.data, 4, cudaMemcpyDeviceToHost); },
  };
  for (const auto& call : forbidden) {
    CHECK_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
    CHECK_EQ(call(), cudaErrorStreamCaptureUnsupported);
    cudaStreamCaptureStatus status{};
    CHECK_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
    CHECK_EQ(status, cudaStreamCaptureStatusInvalidated);
    CHECK_THROWS(launch(shimStream(), writeAt, 1, 1, 0, memory.data, 0), "cudaErrorStreamCaptureInvalidated");
    cudaGraph_t graph = nullptr;
    CHECK_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CHECK(!graph);
  }
  // The null stream would wait for the one that is captured.
  CHECK_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  CHECK_EQ(cudaMemsetAsync(memory.data, 0, 4, nullptr), cudaErrorStreamCaptureImplicit);
  cudaGraph_t graph = nullptr;
  CHECK_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  // What is recorded in a capture is never reached by itself.
  cudaGraphDestroy(capture([&] { check(cudaEventRecord(event, stream), "recording"); }));
  CHECK_EQ(cudaEventQuery(event), cudaErrorCapturedEvent);
  CHECK_EQ(cudaEventDestroy(event), cudaSuccess);
  cudaGetLastError();
}

TEST("cuda shim: late work is done when the host waits, and not before") {
  const Restore restore;
  cudaShim::settings().late = true;
  const auto stream = shimStream().handle;
  cudaEvent_t before = nullptr, after = nullptr;
  check(cudaEventCreate(&before), "making an event");
  check(cudaEventCreate(&after), "making an event");
  float x = 1, source = 5, milliseconds = -1;
  check(cudaEventRecord(before, stream), "recording");
  launch(shimStream(), add, 1, 1, 0, &x, 1.0f, 1);
  check(cudaEventRecord(after, stream), "recording");
  CHECK_EQ(x, 1.0f);
  CHECK_EQ(cudaEventElapsedTime(&milliseconds, before, after), cudaErrorNotReady);
  CHECK_EQ(cudaEventQuery(after), cudaErrorNotReady);
  CHECK_EQ(cudaEventSynchronize(after), cudaSuccess);
  CHECK_EQ(x, 2.0f);
  CHECK_EQ(cudaEventElapsedTime(&milliseconds, before, after), cudaSuccess);
  CHECK(milliseconds >= 0);
  // Memory that is not pinned is read at once.
  const Memory memory(1);
  check(cudaMemcpyAsync(memory.data, &source, 4, cudaMemcpyHostToDevice, stream), "copying");
  source = 6;
  CHECK(std::isnan(memory.data[0]));
  check(cudaMemcpyAsync(&source, memory.data, 4, cudaMemcpyDeviceToHost, stream), "copying");
  CHECK_EQ(source, 5.0f);
  // Pinned memory is read when the copy's turn comes.
  float* pinned = nullptr;
  check(cudaMallocHost(&pinned, 4), "allocating");
  *pinned = 7;
  check(cudaMemcpyAsync(memory.data, pinned, 4, cudaMemcpyHostToDevice, stream), "copying");
  *pinned = 8;
  CHECK_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  CHECK_EQ(memory.data[0], 8.0f);
  cudaFreeHost(pinned);
  cudaEventDestroy(before);
  cudaEventDestroy(after);
}

TEST("cuda shim: a library enqueues through the stream's handle") {
  struct Counts {
    int runs = 0, ends = 0;
  } counts;
  const auto enqueue = [&] {
    auto* hook = reinterpret_cast<cudaShim::StreamHook*>(shimStream().handle);
    hook->enqueue(shimStream().handle, [](void* data) { ++static_cast<Counts*>(data)->runs; }, &counts,
                  [](void* data) { ++static_cast<Counts*>(data)->ends; });
  };
  enqueue();
  CHECK(counts.runs == 1 && counts.ends == 1);
  const auto graph = capture(enqueue);
  cudaGraphExec_t exec = nullptr;
  CHECK_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  CHECK_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (int i = 0; i < 3; ++i) CHECK_EQ(cudaGraphLaunch(exec, shimStream().handle), cudaSuccess);
  CHECK(counts.runs == 4 && counts.ends == 1);
  CHECK_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  CHECK_EQ(counts.ends, 2);
}
