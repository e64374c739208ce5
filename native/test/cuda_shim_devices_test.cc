// The stand-in for the CUDA runtime with several devices: what belongs to which, copies between them, streams that wait.
#include <vector>

#include "test/cuda_shim_ranks.h"

namespace muonscope::cuda {
namespace {

struct Table {
  int64_t numbers[2];
  float* at[2];
};

__global__ void add(float* x, float value) { *x += value; }
__global__ void addTo(float* x, int which, Table table) { *x += *table.at[which]; }

}  // namespace
}  // namespace muonscope::cuda

using namespace muonscope;
using namespace muonscope::cuda;
using test::Devices, test::Event, test::Rank;

namespace {

// Leaves the current device as it is, unlike launch().
cudaError_t launchOn(cudaStream_t stream, float* x, size_t sharedBytes = 0) {
  cudaLaunchConfig_t config{};
  config.dynamicSmemBytes = sharedBytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, add, x, 1.0f);
}

void set(const Rank& rank, int byte) { check(cudaMemsetAsync(rank.x, byte, 1, rank), "setting"); }
int byteOf(const Rank& rank) { return *reinterpret_cast<const unsigned char*>(rank.x); }

cudaError_t copy(const Rank& to, const Rank& from, cudaStream_t stream, cudaMemcpyKind kind = cudaMemcpyDeviceToDevice) {
  return cudaMemcpyAsync(to.x, from.x, sizeof *to.x, kind, stream);
}

}  // namespace

TEST("cuda shim: streams are of the device that was the current one") {
  const Devices devices(2);
  const Rank a(0), b(1);
  CHECK_EQ(launchOn(a, a.x), cudaErrorInvalidResourceHandle);
  CHECK_EQ(a.x[0], 0.0f);
  CHECK_EQ(launchOn(b, b.x), cudaSuccess);
  CHECK_EQ(b.x[0], 1.0f);
  // Copying and filling do not ask for the current device.
  CHECK_EQ(cudaMemsetAsync(a.x, 0, 4, a), cudaSuccess);
  CHECK_EQ(copy(a, b, a), cudaSuccess);
  CHECK_EQ(a.x[0], 1.0f);
  CHECK_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
}

TEST("cuda shim: a kernel that may use more shared memory on one device may not on another") {
  const Devices devices(2);
  const Rank a(0), b(1);
  constexpr size_t much = 64 << 10;
  CHECK_EQ(cudaFuncSetAttribute(add, cudaFuncAttributeMaxDynamicSharedMemorySize, much), cudaSuccess);
  CHECK_EQ(launchOn(b, b.x, much), cudaSuccess);
  cudaSetDevice(0);
  CHECK_THROWS(launchOn(a, a.x, much), "65536 bytes of dynamic shared memory where the kernel may use 49152");
}

TEST("cuda shim: events are of the device that was the current one") {
  const Devices devices(2);
  const Rank a(0), b(1);
  const Event ofA(0, cudaEventDefault), ofB(1, cudaEventDefault);
  CHECK_EQ(cudaEventRecord(ofA, b), cudaErrorInvalidResourceHandle);
  CHECK_EQ(cudaEventRecord(ofB, a), cudaErrorInvalidResourceHandle);
  CHECK_EQ(cudaEventRecord(ofA, nullptr), cudaErrorInvalidResourceHandle);
  CHECK_EQ(cudaEventRecord(ofA, a), cudaSuccess);
  CHECK_EQ(cudaEventRecord(ofB, b), cudaSuccess);
  CHECK_EQ(cudaStreamWaitEvent(a, ofB), cudaSuccess);
  CHECK_EQ(cudaEventQuery(ofA), cudaSuccess);
  CHECK_EQ(cudaEventSynchronize(ofA), cudaSuccess);
  float milliseconds = 0;
  CHECK_EQ(cudaEventElapsedTime(&milliseconds, ofA, ofB), cudaErrorInvalidResourceHandle);
}

TEST("cuda shim: each device has its own memory, which is freed from anywhere") {
  const Devices devices(2);
  const Rank a(0), b(1);
  size_t freeOfA = 0, freeOfB = 0, total = 0;
  cudaShim::settings().totalBytes = cudaShim::allocatedBytes() + 100;
  cudaSetDevice(0);
  CHECK_EQ(cudaMemGetInfo(&freeOfA, &total), cudaSuccess);
  void *more = nullptr, *other = nullptr;
  CHECK_EQ(cudaMalloc(&more, freeOfA), cudaSuccess);
  CHECK_EQ(cudaMalloc(&other, 1), cudaErrorMemoryAllocation);
  cudaSetDevice(1);
  CHECK_EQ(cudaMemGetInfo(&freeOfB, &total), cudaSuccess);
  CHECK_EQ(freeOfB, total - 16);
  CHECK_EQ(cudaMalloc(&other, 1), cudaSuccess);
  CHECK_EQ(cudaFree(more), cudaSuccess);
  CHECK_EQ(cudaMemGetInfo(&freeOfB, &total), cudaSuccess);
  CHECK_EQ(freeOfB, total - 17);
  CHECK_EQ(cudaFree(other), cudaSuccess);
  cudaSetDevice(0);
  CHECK_EQ(cudaMemGetInfo(&freeOfB, &total), cudaSuccess);
  CHECK_EQ(freeOfB, freeOfA);
}

TEST("cuda shim: copies find their devices, and whether the host is one side") {
  const Devices devices(3, true);
  const Rank a(0), b(1), c(2);
  float host = 7;
  CHECK_EQ(cudaMemcpyAsync(a.x, &host, 4, cudaMemcpyDefault, a), cudaSuccess);
  host = 8;  // it was read: it is not page-locked
  CHECK_EQ(copy(b, a, a), cudaSuccess);
  CHECK_EQ(copy(c, b, a, cudaMemcpyDefault), cudaSuccess);
  CHECK_EQ(cudaMemcpyAsync(&host, c.x, 4, cudaMemcpyDefault, a), cudaSuccess);
  CHECK_EQ(host, 7.0f);
  CHECK_EQ(cudaMemcpyAsync(c.x + 3, a.x, 8, cudaMemcpyDefault, a), cudaErrorInvalidValue);
}

TEST("cuda shim: a device can be given access to another one's memory once") {
  const Devices devices(2);
  int can = -1;
  CHECK_EQ(cudaDeviceCanAccessPeer(&can, 0, 1), cudaSuccess);
  CHECK_EQ(can, 1);
  CHECK_EQ(cudaDeviceCanAccessPeer(&can, 1, 1), cudaSuccess);
  CHECK_EQ(can, 0);
  CHECK_EQ(cudaDeviceCanAccessPeer(&can, 0, 2), cudaErrorInvalidDevice);
  CHECK_EQ(cudaDeviceCanAccessPeer(&can, -1, 0), cudaErrorInvalidDevice);
  cudaSetDevice(1);
  CHECK_EQ(cudaDeviceEnablePeerAccess(1, 0), cudaErrorInvalidDevice);
  CHECK_EQ(cudaDeviceEnablePeerAccess(2, 0), cudaErrorInvalidDevice);
  CHECK_EQ(cudaDeviceEnablePeerAccess(0, 1), cudaErrorInvalidValue);
  CHECK_EQ(cudaDeviceEnablePeerAccess(0, 0), cudaSuccess);
  CHECK_EQ(cudaDeviceEnablePeerAccess(0, 0), cudaErrorPeerAccessAlreadyEnabled);
  cudaSetDevice(0);
  CHECK_EQ(cudaDeviceDisablePeerAccess(1), cudaErrorPeerAccessNotEnabled);  // it is of one direction
  cudaSetDevice(1);
  CHECK_EQ(cudaDeviceDisablePeerAccess(0), cudaSuccess);
  cudaShim::settings().peerAccess = false;
  CHECK_EQ(cudaDeviceEnablePeerAccess(0, 0), cudaErrorPeerAccessUnsupported);
  CHECK_EQ(cudaDeviceCanAccessPeer(&can, 0, 1), cudaSuccess);
  CHECK_EQ(can, 0);
  CHECK_EQ(std::string(cudaGetErrorName(cudaErrorPeerAccessUnsupported)), std::string("cudaErrorPeerAccessUnsupported"));
}

TEST("cuda shim: late work of a stream or a device is not done for another one") {
  const Devices devices(2, true);
  const Rank a(0), alsoA(0), b(1);
  const auto state = [&] { return std::vector{byteOf(a), byteOf(alsoA), byteOf(b)}; };
  for (const Rank* rank : {&a, &alsoA, &b}) set(*rank, 1);
  CHECK_EQ(cudaStreamSynchronize(a), cudaSuccess);
  CHECK(state() == std::vector({1, 0, 0}));
  cudaSetDevice(0);
  CHECK_EQ(cudaDeviceSynchronize(), cudaSuccess);
  CHECK(state() == std::vector({1, 1, 0}));
  set(a, 2);
  cudaSetDevice(1);
  CHECK_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  CHECK(state() == std::vector({1, 1, 1}));
  CHECK_EQ(cudaStreamSynchronize(a), cudaSuccess);
}

TEST("cuda shim: late work that waits for an event is done after what was before the event, and no more is") {
  const Devices devices(2, true);
  const Rank a(0), b(1);
  const Event event(0);
  CHECK_EQ(cudaStreamWaitEvent(b, event), cudaSuccess);  // not recorded yet: there is nothing to wait for
  set(a, 1);
  CHECK_EQ(cudaEventRecord(event, a), cudaSuccess);
  set(a, 2);
  CHECK_EQ(copy(b, a, b), cudaSuccess);
  CHECK_EQ(cudaStreamWaitEvent(b, event), cudaSuccess);
  // A wait is for the record that was the latest when it was asked for.
  CHECK_EQ(cudaEventRecord(event, a), cudaSuccess);
  const Event copied(1);
  CHECK_EQ(cudaEventRecord(copied, b), cudaSuccess);
  CHECK_EQ(copy(b, a, b), cudaSuccess);
  CHECK_EQ(byteOf(b), 0);
  CHECK_EQ(cudaEventSynchronize(copied), cudaSuccess);
  CHECK(byteOf(a) == 1 && byteOf(b) == 0);  // the first copy was not waiting
  CHECK_EQ(cudaStreamSynchronize(b), cudaSuccess);
  CHECK(byteOf(a) == 1 && byteOf(b) == 1);
  CHECK_EQ(cudaEventQuery(event), cudaErrorNotReady);
  CHECK_EQ(byteOf(a), 2);
}

TEST("cuda shim: waits lead from stream to stream, and outlive the event") {
  const Devices devices(3, true);
  const Rank a(0), b(1), c(2);
  set(a, 3);
  {
    const Event event(0);
    CHECK_EQ(cudaEventRecord(event, a), cudaSuccess);
    CHECK_EQ(cudaStreamWaitEvent(b, event), cudaSuccess);
  }
  CHECK_EQ(copy(b, a, b), cudaSuccess);
  const Event event(1);
  CHECK_EQ(cudaEventRecord(event, b), cudaSuccess);
  CHECK_EQ(cudaStreamWaitEvent(c, event), cudaSuccess);
  CHECK_EQ(copy(c, b, c), cudaSuccess);
  CHECK_EQ(byteOf(a), 0);
  CHECK_EQ(cudaStreamSynchronize(c), cudaSuccess);
  CHECK_EQ(byteOf(c), 3);
}

TEST("cuda shim: a kernel is not given another device's memory, whatever devices can access") {
  const Devices devices(2);
  const Rank a(0), b(1);
  for (const bool peerAccess : {true, false}) {
    cudaShim::settings().peerAccess = peerAccess;
    CHECK_THROWS(launch(a.stream, add, 1, 1, 0, b.x + 1, 1.0f),
                 "Kernel muonscope::cuda::(anonymous namespace)::add(float*, float) on device 0 was given memory of device 1");
    CHECK_THROWS(launch(b.stream, add, 1, 1, 0, a.x, 1.0f), "on device 1 was given memory of device 0 (parameter 0, byte 0)");
  }
  CHECK(a.x[0] == 0 && b.x[0] == 0);
  // Also the zones beside it, and within tables, whether or not the kernel looks there.
  CHECK_THROWS(launch(a.stream, add, 1, 1, 0, b.x + 4, 1.0f), "was given memory of device 1");
  CHECK_THROWS(launch(a.stream, add, 1, 1, 0, b.x - 1, 1.0f), "was given memory of device 1");
  CHECK_THROWS(launch(a.stream, addTo, 1, 1, 0, a.x, 0, Table{{}, {a.x, b.x}}), "device 1 (parameter 2, byte 24)");
  launch(a.stream, addTo, 1, 1, 0, a.x, 0, Table{{}, {a.x, nullptr}});
  // While a graph is captured too, and to fill it.
  check(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal), "capturing");
  CHECK_THROWS(launch(a.stream, add, 1, 1, 0, b.x, 1.0f), "was given memory of device 1");
  cudaGraph_t graph = nullptr;
  CHECK_EQ(cudaStreamEndCapture(a, &graph), cudaSuccess);
  CHECK_EQ(cudaGraphDestroy(graph), cudaSuccess);
  CHECK_EQ(cudaMemsetAsync(b.x, 0, 4, a), cudaErrorInvalidValue);
}
