// How parameters are spread over ranks, and how data moves between ranks that live in one process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/ranks.h"
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
  std::vector<float> read(const Ranks& ranks) const;                      // to host memory
  void write(const Ranks& ranks, const std::vector<float>& values) const;  // from host memory
};

// Moves rows between ranks, on one of their lanes, and counts what it moved. The work that wrote them comes first: that is
// the caller's to see to, with Ranks.
class Transport {
 public:
  Transport(const Ranks& ranks, int lane, StepCosts& costs) : ranks_(ranks), lane_(lane), costs_(costs) {}
  // Copies `floats` from rank `from` to rank `to`; counted at the sender unless they are the same rank. No copy when
  // source and target are the same memory.
  void send(Phase phase, int from, int to, float* target, const float* source, int64_t floats);
  // Takes floats out of the model's buffers, which belong to no rank; counted at the receiver.
  void receive(Phase phase, int to, float* target, const float* source, int64_t floats);
  // Whether a rank's memory is not the model's, so that its rows of the weights have to be fetched and given back.
  bool isAway(int rank) const { return ranks_.placeOf(rank) != 0; }
  // Between the model's weights and a rank that is away; counted at the rank.
  void fetch(int rank, float* rows, const float* weights, int64_t floats);
  void giveBack(int rank, float* weights, const float* rows, int64_t floats);

 private:
  const Ranks& ranks_;
  int lane_;
  StepCosts& costs_;
};

}  // namespace muonscope
