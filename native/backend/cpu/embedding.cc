// Token embedding: rows gathered, and gradients added to them.
#include <cstring>

#include "backend/cpu/clones.h"
#include "backend/cpu/cpu_backend.h"

namespace muonscope {
namespace {

constexpr int64_t kRowGrain = 64;     // tokens a thread should have at least
constexpr int64_t kColumnGrain = 16;  // one cache line of floats

MUONSCOPE_CLONES
void addRows(Matrix dTable, Matrix dOut, const int32_t* tokens, int64_t firstColumn, int64_t lastColumn) {
  for (int64_t i = 0; i < dOut.rows; i++) {
    float* to = dTable.data + tokens[i] * dTable.cols;
    const float* from = dOut.data + i * dOut.cols;
#pragma omp simd
    for (int64_t j = firstColumn; j < lastColumn; j++) to[j] += from[j];
  }
}

}  // namespace

void CpuBackend::embed(ComputeMatrix out, Matrix table, const int32_t* tokens) {
  pool_.parallelFor(
      out.rows,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++)
          std::memcpy(fp32(out).data + i * out.cols, table.data + tokens[i] * table.cols, out.cols * sizeof(float));
      },
      kRowGrain);
}

void CpuBackend::embedBackward(Matrix dTable, ComputeMatrix dOut, const int32_t* hostTokens) {
  // By columns: a token that occurs twice is added in the same order on any number of threads, without locks.
  pool_.parallelFor(
      dTable.cols, [&](int64_t begin, int64_t end) { addRows(dTable, fp32(dOut), hostTokens, begin, end); }, kColumnGrain);
}

}  // namespace muonscope
