// Whether what was described to the fake cuBLASLt is consistent: it refuses what cuBLASLt refuses, and what would be
// undefined there.
#include "test/fake_cublaslt/problem.h"

#include <climits>

namespace fakeCublasLt {
namespace {

constexpr uint64_t mark = 0x66616b65;          // "fake"
constexpr uintptr_t workspaceAlignment = 256;  // cuBLAS documentation, "cublasSetWorkspace"

uint64_t bytesOf(DataType type) { return type == DataType::fp32 ? 4 : 2; }

// Bytes from the first to the last of all matrices.
uint64_t extent(const Layout& x) {
  const uint64_t elements = static_cast<uint64_t>(x.count - 1) * static_cast<uint64_t>(x.stride) +
                            (x.cols - 1) * static_cast<uint64_t>(x.leading) + x.rows;
  return elements * bytesOf(x.type);
}

bool overlap(const void* x, const Layout& xLayout, const void* y, const Layout& yLayout) {
  const auto xBegin = reinterpret_cast<uintptr_t>(x), yBegin = reinterpret_cast<uintptr_t>(y);
  return xBegin < yBegin + extent(yLayout) && yBegin < xBegin + extent(xLayout);
}

bool sameLayout(const Layout& x, const Layout& y) {
  return x.type == y.type && x.rows == y.rows && x.cols == y.cols && x.leading == y.leading && x.count == y.count &&
         x.stride == y.stride;
}

bool valid(const Layout& x) {
  return x.rows > 0 && x.cols > 0 && x.rows <= INT_MAX && x.cols <= INT_MAX && x.leading >= static_cast<int64_t>(x.rows) &&
         x.leading <= INT_MAX && x.count > 0 && x.stride >= 0;
}

// Of all that describes the problem (FNV-1a, Fowler, Noll and Vo).
uint64_t digest(const Problem& p) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](auto value) { hash = (hash ^ static_cast<uint64_t>(value)) * 0x100000001b3; };
  add(p.description.compute), add(p.description.a), add(p.description.b);
  for (const Layout* x : {&p.a, &p.b, &p.c, &p.d})
    add(x->type), add(x->rows), add(x->cols), add(x->leading), add(x->count), add(x->stride);
  return hash;
}

bool aligned(const void* pointer, uint64_t alignment) { return reinterpret_cast<uintptr_t>(pointer) % alignment == 0; }

}  // namespace

Status check(const Problem& p) {
  for (const Layout* x : {&p.a, &p.b, &p.c, &p.d})
    if (!valid(*x) || x->count != p.d.count) return Status::invalidValue;
  const bool plainA = p.description.a == Operation::none, plainB = p.description.b == Operation::none;
  if ((plainA ? p.a.rows : p.a.cols) != p.d.rows || (plainB ? p.b.cols : p.b.rows) != p.d.cols ||
      (plainB ? p.b.rows : p.b.cols) != static_cast<uint64_t>(p.k()) || p.c.rows != p.d.rows || p.c.cols != p.d.cols)
    return Status::invalidValue;
  // Matrices of a batch of results may not lie in one another.
  if (p.d.count > 1 && p.d.stride < p.d.leading * (p.n() - 1) + p.m()) return Status::invalidValue;
  // cuBLAS documentation, "cublasLtMatmul": types that go together with compute in fp32 and scaling in fp32.
  const bool fp32 = p.a.type == DataType::fp32;
  const bool types = p.a.type == p.b.type && p.c.type == p.d.type && (p.d.type == DataType::fp32 || !fp32);
  return types && (fp32 || p.description.compute == ComputeType::fp32) ? Status::success : Status::notSupported;
}

Status check(const Problem& p, const Operands& x) {
  if (const Status status = check(p); status != Status::success) return status;
  if (!x.a || !x.b || !x.d || (x.beta != 0 && !x.c)) return Status::invalidValue;
  if (overlap(x.d, p.d, x.a, p.a) || overlap(x.d, p.d, x.b, p.b)) return Status::invalidValue;
  if (x.beta != 0 && overlap(x.d, p.d, x.c, p.c) && !(x.c == x.d && sameLayout(p.c, p.d))) return Status::invalidValue;
  return Status::success;
}

Algorithm algorithmFor(const Problem& problem, const Preference& preference, uint64_t workspaceBytes) {
  const auto& a = preference.alignments;
  return {{mark, digest(problem), workspaceBytes, a[0], a[1], a[2], a[3], 0}};
}

Status checkAlgorithm(const Algorithm& algorithm, const Problem& problem, const Operands& x, const void* workspace,
                      uint64_t workspaceBytes) {
  const auto& data = algorithm.data;
  const bool fits = data[0] == mark && data[1] == digest(problem) && workspaceBytes >= data[2] && workspace &&
                    aligned(workspace, workspaceAlignment) && aligned(x.a, data[3]) && aligned(x.b, data[4]) &&
                    aligned(x.c, data[5]) && aligned(x.d, data[6]);
  return fits ? Status::success : Status::invalidValue;
}

}  // namespace fakeCublasLt
