// Graphs: making what was captured something that can be launched, changing it, and launching it.
#include "test/cuda_shim/graph.h"

#include <algorithm>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/capture.h"
#include "test/cuda_shim/stream.h"

using namespace cudaShim;

struct CUgraphExec_st {
  Nodes nodes;
};

namespace {

// What keeps a node of an executable graph from becoming another one. The function and the device of a kernel and the devices of
// the memory that is copied stay (CUDA Runtime API, cudaGraphExecUpdate).
cudaGraphExecUpdateResult obstacle(const CUgraphNode_st& old, const CUgraphNode_st& now) {
  if (old.after != now.after) return cudaGraphExecUpdateErrorTopologyChanged;
  if (old.kind != now.kind) return cudaGraphExecUpdateErrorNodeTypeChanged;
  if (old.function != now.function) return cudaGraphExecUpdateErrorFunctionChanged;
  return old.devices != now.devices ? cudaGraphExecUpdateErrorParametersChanged : cudaGraphExecUpdateSuccess;
}

GraphShape latest;

void remember(const Nodes& nodes) {
  latest = {nodes.size(), 0};
  std::vector<size_t> way(nodes.size(), 1);
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const size_t before : nodes[i]->after) way[i] = std::max(way[i], way[before] + 1);
    latest.longest = std::max(latest.longest, way[i]);
  }
}

}  // namespace

GraphShape cudaShim::latestGraph() { return latest; }

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  return call("cudaGraphInstantiate", [&] {
    if (!graph) return cudaErrorInvalidValue;
    *exec = new CUgraphExec_st{graph->nodes};
    remember(graph->nodes);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* result) {
  return call("cudaGraphExecUpdate", [&] {
    if (!exec || !graph || !result) return cudaErrorInvalidValue;
    *result = {};
    if (exec->nodes.size() != graph->nodes.size()) {
      result->result = cudaGraphExecUpdateErrorTopologyChanged;
      return cudaErrorGraphExecUpdateFailure;
    }
    for (size_t i = 0; i < exec->nodes.size(); ++i) {
      result->result = obstacle(*exec->nodes[i], *graph->nodes[i]);
      if (result->result == cudaGraphExecUpdateSuccess) continue;
      result->errorNode = graph->nodes[i].get();
      return cudaErrorGraphExecUpdateFailure;
    }
    exec->nodes = graph->nodes;
    remember(graph->nodes);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return call("cudaGraphGetNodes", [&] {
    if (!graph || !count) return cudaErrorInvalidValue;
    if (nodes)
      for (size_t i = 0; i < *count; ++i) nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
    *count = nodes ? std::min(*count, graph->nodes.size()) : graph->nodes.size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return call("cudaGraphLaunch", [&] {
    if (!exec) return cudaErrorInvalidValue;
    if (stream && isStream(stream) && stream->capture) {  // a graph within a graph is not emulated
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    // Nothing that the executable becomes later changes what is launched now. On its stream it is one piece of work.
    return enqueue(stream, {CUgraphNode_st::library, nullptr, [nodes = exec->nodes] {
                              for (const size_t i : launchOrder(nodes)) nodes[i]->run();
                            }});
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call("cudaGraphDestroy", [&] {
    delete graph;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return call("cudaGraphExecDestroy", [&] {
    delete exec;
    return cudaSuccess;
  });
}
