// Plain matrix products by cuBLASLt, which is loaded when it is needed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/cuda/cublaslt_api.h"
#include "backend/cuda/launch.h"

namespace muonscope::cuda {

class MemoryPool;

enum class Element : int32_t { fp32, bf16 };

// A row-major matrix on the device, or the first of a batch of them.
struct BlasMatrix {
  void* data;
  Element element;
  int64_t rows;
  int64_t cols;
  int64_t leading;  // elements from one row to the next
  int64_t stride;   // elements from one matrix of the batch to the next
};

// D = alpha·op(A)·op(B) + beta·C for every matrix of a batch. A and B are of one type, C and D too: fp32, or both of
// A's. C may be D; it is not looked at where beta is 0. Sums are formed in fp32.
struct BlasProduct {
  BlasMatrix d, c, a, b;
  bool transposeA, transposeB;
  int64_t count;
  float alpha, beta;
  bool tf32;  // fp32 is rounded to ten bits of mantissa on its way into tensor cores
};

class BlasLt {
 public:
  // Why there is no cuBLASLt, and what to do; empty when there is.
  static std::string problem();
  BlasLt(const Stream& stream, MemoryPool& pool);
  ~BlasLt();
  BlasLt(const BlasLt&) = delete;
  BlasLt& operator=(const BlasLt&) = delete;

  const std::string& version() const { return loaded_.version; }
  // Also while the stream records: what cuBLASLt recommends for a shape is asked for once, on the host.
  void matmul(const BlasProduct& product);

 private:
  template <class T>
  using Handle = std::unique_ptr<T, cublaslt::Status (*)(T*)>;

  // What cuBLASLt has to know about products of one kind.
  struct Plan {
    Handle<cublaslt::Description> description;
    Handle<cublaslt::Layout> a, b, c, d;
    cublaslt::HeuristicResult choice;
  };
  // Everything that the choice of an algorithm depends on.
  using Key = std::array<int64_t, 28>;

  static Key keyOf(const BlasProduct& product);
  const Plan& planFor(const BlasProduct& product);
  Plan makePlan(const BlasProduct& product) const;
  Handle<cublaslt::Description> describe(const BlasProduct& product) const;
  Handle<cublaslt::Layout> layOut(const BlasMatrix& matrix, int64_t count) const;
  Handle<cublaslt::Preference> prefer(const BlasProduct& product) const;
  void check(cublaslt::Status status, const std::string& what) const;

  const cublaslt::Loaded loaded_;
  const Stream stream_;
  MemoryPool& pool_;
  Handle<cublaslt::Context> context_;
  std::map<Key, Plan> plans_;
  void* workspace_;
};

}  // namespace muonscope::cuda
