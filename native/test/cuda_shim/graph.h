// Graphs: work, and what of it has to be done before what.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

struct CUgraphNode_st {
  enum Kind { kernel, copy, set, library } kind;
  const void* function;  // of a kernel or a library
  std::function<void()> run;
  std::vector<int> devices = {};    // that it runs on, or whose memory it copies
  std::vector<size_t> after = {};  // the nodes of its graph that it waits for, ascending
};

namespace cudaShim {

// In the order of the calls: a node waits for earlier ones only.
using Nodes = std::vector<std::shared_ptr<CUgraphNode_st>>;

// Those that no other waits for, ascending.
std::vector<size_t> sinks(const Nodes& nodes);
// An order that they can be done in, as unlike that of the calls as setOrder() makes it.
std::vector<size_t> launchOrder(const Nodes& nodes);

}  // namespace cudaShim

struct CUgraph_st {
  cudaShim::Nodes nodes;
};
