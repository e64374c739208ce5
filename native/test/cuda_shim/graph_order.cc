// In which order the work of a graph is done. A device only keeps to what the work waits for, so that a wait that is missing goes
// unseen for long; here such work is done too early, or too late, in every launch.
#include <algorithm>
#include <utility>

#include "test/cuda_shim/graph.h"
#include "test/cuda_shim/order.h"

namespace cudaShim {

namespace {

// All that a node waits for, and then the node: of two branches, one is done before the other begins. The branch that was
// asked for last comes first, or (`earliestFirst`) the one whose end was asked for first.
std::vector<size_t> depthFirst(const Nodes& nodes, bool earliestFirst) {
  const auto push = [earliestFirst](std::vector<size_t>& stack, const std::vector<size_t>& ascending) {
    if (earliestFirst)
      stack.insert(stack.end(), ascending.rbegin(), ascending.rend());
    else
      stack.insert(stack.end(), ascending.begin(), ascending.end());
  };
  std::vector<size_t> order, stack;
  std::vector<bool> begun(nodes.size()), done(nodes.size());
  push(stack, sinks(nodes));
  while (!stack.empty()) {
    const size_t node = stack.back();
    if (!begun[node]) {
      begun[node] = true;
      push(stack, nodes[node]->after);
      continue;
    }
    stack.pop_back();
    if (done[node]) continue;
    done[node] = true;
    order.push_back(node);
  }
  return order;
}

std::vector<size_t> shuffled(const Nodes& nodes) {
  std::vector<std::vector<size_t>> before(nodes.size());
  std::vector<size_t> waits(nodes.size()), ready, order;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const size_t first : nodes[i]->after) before[first].push_back(i);
    waits[i] = nodes[i]->after.size();
    if (waits[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    std::swap(ready[random64() % ready.size()], ready.back());
    order.push_back(ready.back());
    ready.pop_back();
    for (const size_t next : before[order.back()])
      if (--waits[next] == 0) ready.push_back(next);
  }
  return order;
}

}  // namespace

std::vector<size_t> sinks(const Nodes& nodes) {
  std::vector<bool> awaited(nodes.size());
  for (const auto& node : nodes)
    for (const size_t i : node->after) awaited[i] = true;
  std::vector<size_t> result;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!awaited[i]) result.push_back(i);
  return result;
}

std::vector<size_t> launchOrder(const Nodes& nodes) {
  const Order order = orderState().order;
  return order == Order::shuffled ? shuffled(nodes) : depthFirst(nodes, order == Order::descending);
}

}  // namespace cudaShim
