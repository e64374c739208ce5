// Work that a stream records and then does as one: a CUDA graph, which costs one launch however many kernels it has.
#pragma once

#include <functional>

#include "backend/cuda/launch.h"

namespace muonscope::cuda {

class Graph {
 public:
  explicit Graph(const Stream& stream) : stream_(stream) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Records what `work` asks of the stream, in the place of what was recorded before; nothing of it is done. The memory
  // that it uses must stay until it is launched. An exception of `work` is passed on, and nothing is recorded then.
  void record(const std::function<void()>& work);
  // Does once what was recorded last; nothing when there is nothing, or when it was done.
  void launch();

 private:
  cudaGraph_t capture(const std::function<void()>& work) const;
  void instantiate(cudaGraph_t graph);

  const Stream stream_;
  cudaGraphExec_t executable_ = nullptr;
  bool ready_ = false;
};

}  // namespace muonscope::cuda
