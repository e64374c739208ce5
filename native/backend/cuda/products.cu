// Products of the model and the optimizer, by cuBLASLt.
#include <stdexcept>

#include "backend/cuda/blas_lt.h"
#include "backend/cuda/cuda_backend.h"

namespace muonscope::cuda {
namespace {

BlasMatrix contiguous(void* data, Element element, int64_t rows, int64_t cols) {
  return {data, element, rows, cols, cols, rows * cols};
}

std::string shape(ComputeMatrix m) { return "[" + std::to_string(m.rows) + ", " + std::to_string(m.cols) + "]"; }

// Operands in a backend's compute type.
struct Operands {
  Element element;
  bool tf32;

  Operands(Precision precision)
      : element(precision == Precision::bf16 ? Element::bf16 : Element::fp32), tf32(precision == Precision::tf32) {}
  template <class M>
  BlasMatrix operator()(M m) const {
    return contiguous(m.data, element, m.rows, m.cols);
  }
};

}  // namespace

void CudaBackend::matmul(Matrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB, float alpha, float beta) {
  const Operands of(precision_);
  const BlasMatrix result = contiguous(c.data, Element::fp32, c.rows, c.cols);
  blas_->matmul({result, result, of(a), of(b), transposeA, transposeB, 1, alpha, beta, of.tf32});
}

void CudaBackend::matmul(ComputeMatrix d, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) {
  const Operands of(precision_);
  blas_->matmul({of(d), of(d), of(a), of(b), transposeA, transposeB, 1, 1, 0, of.tf32});
}

void CudaBackend::matmulAdd(ComputeMatrix d, ComputeMatrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b,
                            bool transposeB) {
  if (d.rows != c.rows || d.cols != c.cols)
    throw std::runtime_error("matmulAdd: expected a summand of the result's shape " + shape(d) + ", received " + shape(c));
  const Operands of(precision_);
  blas_->matmul({of(d), of(c), of(a), of(b), transposeA, transposeB, 1, 1, 1, of.tf32});
}

void CudaBackend::multiply(ComputeBatch c, ComputeBatch a, ComputeBatch b) {
  if (c.count != a.count || c.count != b.count)
    throw std::runtime_error("multiply: expected batches of one length, received " + std::to_string(c.count) + " results for " +
                             std::to_string(a.count) + " and " + std::to_string(b.count) + " matrices");
  products(c, c, a, false, b, false, 1, 0);
}

void CudaBackend::products(ComputeBatch d, ComputeBatch c, ComputeBatch a, bool transposeA, ComputeBatch b, bool transposeB,
                           double alpha, double beta) {
  const Operands of(precision_);
  blas_->matmul({of(d), of(c), of(a), of(b), transposeA, transposeB, d.count, static_cast<float>(alpha), static_cast<float>(beta),
                 of.tf32});
}

}  // namespace muonscope::cuda
