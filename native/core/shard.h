// How parameters are spread over ranks, and how data moves between ranks that live in one process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/step_costs.h"

namespace muonscope {

struct RowRange {
  int64_t first, count;
};

// FSDP2's split of dimension 0: ceil(rows/ranks) rows each, the last ranks short or empty.
RowRange rowsOfRank(int64_t rows, int rank, int ranks);

// Which rank orthogonalises which matrix: sorted by element count, largest first, ties by name, dealt round robin
// (arXiv 2510.05491 Algorithm 2, lines 2 and 5 to 9).
struct Ownership {
  std::vector<size_t> order;  // indices of matrices, sorted
  std::vector<int> owner;     // by index
};
Ownership assignOwners(const std::vector<std::string>& names, const std::vector<int64_t>& sizes, int ranks);

// A tensor [rows, width] that lies in pieces on the ranks. Does not own memory.
struct ShardedTensor {
  int64_t rows = 0, width = 0;
  bool replicated = false;      // each part is the whole tensor; else part r holds the rows of rank r
  std::vector<float*> parts = {};  // by rank
  std::vector<float> read(Backend& backend) const;                      // to host memory
  void write(Backend& backend, const std::vector<float>& values) const;  // from host memory
};

// Moves rows between ranks and counts what it moved.
class Transport {
 public:
  Transport(Backend& backend, StepCosts& costs) : backend_(backend), costs_(costs) {}
  // Copies `floats` from rank `from` to rank `to`; counted at the sender unless they are the same rank. No copy when
  // source and target are the same memory.
  void send(Phase phase, int from, int to, float* target, const float* source, int64_t floats);
  // Takes floats out of the model's buffers, which belong to no rank; counted at the receiver.
  void receive(Phase phase, int to, float* target, const float* source, int64_t floats);

 private:
  Backend& backend_;
  StepCosts& costs_;
};

}  // namespace muonscope
