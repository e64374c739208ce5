// Capturing a stream into a graph, and launching it.
#include <algorithm>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/stream.h"

struct CUgraphExec_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

using namespace cudaShim;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return call("cudaStreamBeginCapture", [&] {
    if (!stream) return cudaErrorStreamCaptureUnsupported;
    if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
    if (stream->graph) return cudaErrorIllegalState;
    stream->graph = std::make_unique<CUgraph_st>();
    stream->mode = mode;
    stream->thread = std::this_thread::get_id();
    stream->invalid = false;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", [&] {
    *graph = nullptr;
    if (!isStream(stream)) return cudaErrorInvalidResourceHandle;
    if (!stream->graph) return cudaErrorIllegalState;
    if (stream->mode != cudaStreamCaptureModeRelaxed && stream->thread != std::this_thread::get_id())
      return cudaErrorStreamCaptureWrongThread;
    std::unique_ptr<CUgraph_st> captured = std::move(stream->graph);
    if (stream->invalid) return cudaErrorStreamCaptureInvalidated;
    *graph = captured.release();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return call("cudaStreamIsCapturing", [&] {
    if (stream && !isStream(stream)) return cudaErrorInvalidResourceHandle;
    *status = !stream || !stream->graph ? cudaStreamCaptureStatusNone
              : stream->invalid         ? cudaStreamCaptureStatusInvalidated
                                        : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  return call("cudaGraphInstantiate", [&] {
    if (!graph) return cudaErrorInvalidValue;
    *exec = new CUgraphExec_st{graph->nodes};
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
      const auto &old = *exec->nodes[i], &now = *graph->nodes[i];
      if (old.kind == now.kind && old.function == now.function) continue;
      result->result = old.kind != now.kind ? cudaGraphExecUpdateErrorNodeTypeChanged : cudaGraphExecUpdateErrorFunctionChanged;
      result->errorNode = graph->nodes[i].get();
      return cudaErrorGraphExecUpdateFailure;
    }
    exec->nodes = graph->nodes;
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
    if (stream && stream->graph) {  // a graph within a graph is not emulated
      stream->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    for (const auto& node : exec->nodes)
      if (const cudaError_t error = enqueue(stream, *node); error != cudaSuccess) return error;
    return cudaSuccess;
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
