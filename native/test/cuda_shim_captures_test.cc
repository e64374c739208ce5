// The stand-in for the CUDA runtime: graphs that are captured from several streams of several devices.
#include <algorithm>
#include <functional>
#include <set>
#include <vector>

#include "test/cuda_shim/stream_hook.h"
#include "test/cuda_shim_ranks.h"

namespace muonscope::cuda {
namespace {

__global__ void nothing() {}

}  // namespace
}  // namespace muonscope::cuda

using namespace muonscope;
using namespace muonscope::cuda;
using test::Devices, test::Event, test::Rank;

namespace {

// What was done, in order.
std::vector<int> done;

struct Work {
  int id;
};

void enqueue(cudaStream_t stream, int id) {
  reinterpret_cast<cudaShim::StreamHook*>(stream)->enqueue(
      stream, [](void* data) { done.push_back(static_cast<Work*>(data)->id); }, new Work{id},
      [](void* data) { delete static_cast<Work*>(data); });
}

std::vector<int> take() { return std::exchange(done, {}); }

// `to` waits for what `from` was asked for until now.
void join(const Rank& to, const Rank& from) {
  const Event event(from.stream.device);
  check(cudaEventRecord(event, from), "recording");
  check(cudaStreamWaitEvent(to, event), "waiting");
}

// Relaxed: tests also make and end streams and memory meanwhile.
void begin(const Rank& origin) { check(cudaStreamBeginCapture(origin, cudaStreamCaptureModeRelaxed), "capturing"); }

cudaStreamCaptureStatus status(cudaStream_t stream) {
  cudaStreamCaptureStatus result{};
  check(cudaStreamIsCapturing(stream, &result), "asking");
  return result;
}

cudaError_t end(const Rank& origin) {
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(origin, &graph);
  CHECK_EQ(error == cudaSuccess, graph != nullptr);
  if (graph) cudaGraphDestroy(graph);
  return error;
}

struct CapturedGraph {
  template <class Capture>
  CapturedGraph(const Rank& origin, const Capture& capture) {
    begin(origin);
    capture();
    check(cudaStreamEndCapture(origin, &handle), "ending a capture");
    check(cudaGraphInstantiate(&exec, handle), "making a graph");
  }
  ~CapturedGraph() {
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(handle);
  }
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;
  cudaGraphExecUpdateResult become(const CapturedGraph& other) {
    cudaGraphExecUpdateResultInfo info{};
    CHECK_EQ(cudaGraphExecUpdate(exec, other.handle, &info) == cudaSuccess, info.result == cudaGraphExecUpdateSuccess);
    return info.result;
  }

  cudaGraph_t handle = nullptr;
  cudaGraphExec_t exec = nullptr;
};

// 0 on a; 1, 3 on b and 2, 4 on c; 5 on a. `crossed`: 3 waits for 2 also.
std::function<void()> branches(const Rank& a, const Rank& b, const Rank& c, bool crossed = false) {
  return [&, crossed] {
    enqueue(a, 0);
    join(b, a);
    join(c, a);
    enqueue(b, 1);
    enqueue(c, 2);
    if (crossed) join(b, c);
    enqueue(b, 3);
    enqueue(c, 4);
    join(a, b);
    join(a, c);
    enqueue(a, 5);
  };
}

}  // namespace

TEST("cuda shim: a stream that waits for captured work joins the capture until it ends") {
  const Devices devices(2);
  const Rank a(0), b(1);
  const CapturedGraph graph(a, [&] {
    check(cudaMemsetAsync(a.x, 5, 4, a), "setting");
    CHECK_EQ(status(b), cudaStreamCaptureStatusNone);
    join(b, a);
    CHECK_EQ(status(b), cudaStreamCaptureStatusActive);
    check(cudaMemcpyAsync(b.x, a.x, 4, cudaMemcpyDeviceToDevice, b), "copying");
    join(a, b);
  });
  CHECK(status(a) == cudaStreamCaptureStatusNone && status(b) == cudaStreamCaptureStatusNone);
  CHECK_EQ(b.x[0], 0.0f);
  CHECK_EQ(cudaGraphLaunch(graph.exec, a), cudaSuccess);
  CHECK(b.x[0] == a.x[0] && b.x[0] != 0);
  enqueue(b, 1);
  CHECK(take() == std::vector{1});
}

TEST("cuda shim: a stream whose last work nobody waits for spoils the capture") {
  const Devices devices(2);
  const Rank a(0), b(1);
  const auto leftAfter = [&](const std::function<void()>& last) {
    begin(a);
    enqueue(a, 0);
    join(b, a);
    enqueue(b, 1);
    join(a, b);
    last();
    const cudaError_t error = end(a);
    CHECK(status(a) == cudaStreamCaptureStatusNone && status(b) == cudaStreamCaptureStatusNone);
    return error;
  };
  CHECK_EQ(leftAfter([] {}), cudaSuccess);
  CHECK_EQ(leftAfter([&] { enqueue(a, 2); }), cudaSuccess);
  CHECK_EQ(leftAfter([&] { join(b, a); }), cudaSuccess);  // nothing is left to be done there
  CHECK_EQ(leftAfter([&] { enqueue(b, 2); }), cudaErrorStreamCaptureUnjoined);
  CHECK(take().empty());
}

TEST("cuda shim: what spoils a capture of several streams") {
  const Devices devices(2);
  const Rank a(0), b(1), c(1), d(0);
  const Event outside(0);
  cudaGraph_t none = nullptr;
  check(cudaEventRecord(outside, d), "recording");
  struct Mistake {
    std::function<cudaError_t()> make;
    cudaError_t error;
  };
  const std::vector<Mistake> mistakes = {
      {[&] { return cudaStreamEndCapture(b, &none); }, cudaErrorStreamCaptureUnmatched},
      {[&] { return cudaStreamWaitEvent(b, outside); }, cudaErrorStreamCaptureIsolation},
      {[&] { return cudaStreamWaitEvent(a, outside); }, cudaErrorStreamCaptureIsolation},
      {[&] { return cudaStreamSynchronize(b); }, cudaErrorStreamCaptureUnsupported},
  };
  for (const Mistake& mistake : mistakes) {
    begin(a);
    join(b, a);
    CHECK_EQ(mistake.make(), mistake.error);
    CHECK(status(a) == cudaStreamCaptureStatusInvalidated && status(b) == cudaStreamCaptureStatusInvalidated);
    CHECK_EQ(cudaMemsetAsync(b.x, 0, 4, b), cudaErrorStreamCaptureInvalidated);
    CHECK_EQ(end(a), cudaErrorStreamCaptureInvalidated);
    CHECK_EQ(status(b), cudaStreamCaptureStatusNone);
  }
  // Two captures do not become one.
  begin(a);
  begin(c);
  const Event event(1);
  check(cudaEventRecord(event, c), "recording");
  CHECK_EQ(cudaStreamWaitEvent(a, event), cudaErrorStreamCaptureMerge);
  CHECK_EQ(end(a), cudaErrorStreamCaptureInvalidated);
  CHECK_EQ(end(c), cudaErrorStreamCaptureInvalidated);
  // What was captured is not reached by itself.
  CHECK_EQ(cudaStreamWaitEvent(d, event), cudaErrorCapturedEvent);
  CHECK_EQ(cudaEventRecord(event, c), cudaSuccess);
  CHECK_EQ(cudaStreamWaitEvent(d, event), cudaSuccess);
  // A stream that is no more takes the capture with it.
  begin(a);
  {
    const Rank ends(1);
    join(ends, a);
  }
  CHECK_EQ(end(a), cudaErrorStreamCaptureInvalidated);
}

TEST("cuda shim: a graph keeps to what its work waits for, and to nothing else") {
  const Devices devices(3);
  const Rank a(0), b(1), c(2);
  const CapturedGraph free(a, branches(a, b, c)), crossed(a, branches(a, b, c, true));
  const auto launched = [&](const CapturedGraph& graph) {
    CHECK_EQ(cudaGraphLaunch(graph.exec, a), cudaSuccess);
    return take();
  };
  {
    const test::WithOrder order(cudaShim::Order::ascending);
    CHECK(launched(free) == std::vector({0, 2, 4, 1, 3, 5}));
    CHECK(launched(crossed) == std::vector({0, 2, 4, 1, 3, 5}));
  }
  {
    const test::WithOrder order(cudaShim::Order::descending);
    CHECK(launched(free) == std::vector({0, 1, 3, 2, 4, 5}));
    CHECK(launched(crossed) == std::vector({0, 1, 2, 3, 4, 5}));
  }
  const test::WithOrder order(cudaShim::Order::shuffled);
  std::set<std::vector<int>> ofFree, ofCrossed;
  for (int i = 0; i < 200; ++i) {
    ofFree.insert(launched(free));
    ofCrossed.insert(launched(crossed));
  }
  // 1 before 3 and 2 before 4: 6 of the 24 orders. 2 before 3 too: not 1, 3, 2, 4.
  CHECK_EQ(ofFree.size(), size_t{6});
  CHECK_EQ(ofCrossed.size(), size_t{5});
  for (const auto& one : ofCrossed) {
    const auto at = [&](int id) { return std::ranges::find(one, id) - one.begin(); };
    CHECK(at(0) == 0 && at(1) < at(3) && at(2) < at(3) && at(2) < at(4) && at(5) == 5);
  }
}

TEST("cuda shim: a graph becomes another one only if the same waits for the same, on the same devices") {
  const Devices devices(3);
  const Rank a(0), b(1), c(2);
  CapturedGraph graph(a, branches(a, b, c));
  const CapturedGraph same(a, branches(a, c, b)), crossed(a, branches(a, b, c, true));
  const auto copying = [&](const Rank& to) {
    return [&] { check(cudaMemcpyAsync(to.x, a.x, 4, cudaMemcpyDeviceToDevice, a), "copying"); };
  };
  CHECK_EQ(graph.become(crossed), cudaGraphExecUpdateErrorTopologyChanged);
  CHECK_EQ(graph.become(CapturedGraph(a, branches(a, b, c))), cudaGraphExecUpdateSuccess);
  CHECK_EQ(graph.become(same), cudaGraphExecUpdateErrorParametersChanged);
  CapturedGraph toB(a, copying(b));
  const CapturedGraph toC(a, copying(c));
  CHECK_EQ(toB.become(toC), cudaGraphExecUpdateErrorParametersChanged);
  const auto computing = [](const Rank& rank) { return [&] { launch(rank.stream, nothing, 1, 1, 0); }; };
  CapturedGraph onB(b, computing(b));
  const CapturedGraph againOnB(b, computing(b)), onC(c, computing(c));
  CHECK_EQ(onB.become(onC), cudaGraphExecUpdateErrorParametersChanged);
  CHECK_EQ(onB.become(againOnB), cudaGraphExecUpdateSuccess);
}

TEST("cuda shim: a launched graph takes its turn on the stream, as it was when it was launched") {
  const Devices devices(2, true);
  const Rank a(0), b(1);
  const auto work = [&](int id) {
    return [&, id] {
      enqueue(a, id);
      join(b, a);
      enqueue(b, id + 1);
      join(a, b);
    };
  };
  CapturedGraph graph(a, work(10));
  const CapturedGraph later(a, work(20));
  enqueue(b, 0);
  enqueue(a, 1);
  CHECK_EQ(cudaGraphLaunch(graph.exec, a), cudaSuccess);
  CHECK_EQ(graph.become(later), cudaGraphExecUpdateSuccess);
  enqueue(a, 2);
  CHECK(take().empty());
  CHECK_EQ(cudaStreamSynchronize(a), cudaSuccess);
  CHECK(take() == std::vector({1, 10, 11, 2}));  // where it was captured from, other work is as late as before
  CHECK_EQ(cudaStreamSynchronize(b), cudaSuccess);
  CHECK(take() == std::vector{0});
}
