// What a call of the fake cuBLASLt describes, and whether it is consistent.
#pragma once

#include <cstdint>

#include "backend/cuda/cublaslt_api.h"

// Behind the opaque pointers of the interface.
struct muonscope::cuda::cublaslt::Context {
  bool alive = true;
};
struct muonscope::cuda::cublaslt::Description {
  ComputeType compute;
  Operation a = Operation::none, b = Operation::none;
};
struct muonscope::cuda::cublaslt::Layout {
  DataType type;
  uint64_t rows, cols;
  int64_t leading;
  int32_t count = 1;
  int64_t stride = 0;
};
struct muonscope::cuda::cublaslt::Preference {
  uint64_t maxWorkspaceBytes = 0;
  uint32_t reductionSchemes = 7;
  uint32_t alignments[4] = {256, 256, 256, 256};  // of A, B, C, D
};

namespace fakeCublasLt {

using namespace muonscope::cuda::cublaslt;

struct Problem {
  Description description;
  Layout a, b, c, d;

  int64_t m() const { return static_cast<int64_t>(d.rows); }
  int64_t n() const { return static_cast<int64_t>(d.cols); }
  int64_t k() const { return static_cast<int64_t>(description.a == Operation::none ? a.cols : a.rows); }
};

struct Operands {
  float alpha, beta;
  const void *a, *b, *c;
  void* d;
};

// What cuBLASLt would answer, or an error where it would read or write what it should not.
Status check(const Problem& problem);
Status check(const Problem& problem, const Operands& operands);

// The algorithm stands for the problem and the alignments that it was chosen for.
Algorithm algorithmFor(const Problem& problem, const Preference& preference, uint64_t workspaceBytes);
Status checkAlgorithm(const Algorithm& algorithm, const Problem& problem, const Operands& operands, const void* workspace,
                      uint64_t workspaceBytes);

// On this thread, on host memory.
void multiply(const Problem& problem, const Operands& operands);

}  // namespace fakeCublasLt
