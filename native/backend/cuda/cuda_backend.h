// The CUDA backend: cuBLASLt for plain products, own kernels for the rest, one stream of one device. One file of
// definitions per section of backend.h.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/cuda/eigenvalue_threads.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/pinned_ring.h"
#include "backend/cuda/scratch.h"

namespace muonscope::cuda {

class BlasLt;
class Graph;
class MemoryPool;
class PeerUse;

enum class Precision { fp32, tf32, bf16 };
std::string nameOf(Precision precision);

class CudaBackend final : public Backend {
 public:
  CudaBackend(const BackendOptions& options, void (*symmetricEigenvalues)(double*, double*, int64_t));
  ~CudaBackend() override;
  const BackendInfo& info() const override { return info_; }

  // memory.cu
  int64_t freeBytes() const override;
  void upload(float* to, const float* hostFrom, int64_t n) override;
  void download(float* hostTo, const float* from, int64_t n) override;
  void read(double* hostTo, const double* from, int64_t n) override;
  void copy(float* to, const float* from, int64_t n) override;
  void zero(float* to, int64_t n) override;
  void toCompute(ComputeMatrix y, Matrix x) override;
  void fromCompute(Batch y, ComputeBatch x) override;

  // peers.cu
  std::unique_ptr<Backend> onDevice(int device) const override;
  void waitFor(Backend& other) override;

  // time.cu
  double clock() override;
  void mark(Mark mark) override;
  double between(Mark from, Mark to) override;
  void prepare(const std::function<void()>& work) override;
  void launch() override;
  bool timesPreparedWork() const override { return false; }

  // products.cu
  void matmul(Matrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB, float alpha, float beta) override;
  void matmul(ComputeMatrix d, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) override;
  void matmulAdd(ComputeMatrix d, ComputeMatrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) override;
  void multiply(ComputeBatch c, ComputeBatch a, ComputeBatch b) override;

  // symmetric.cu
  void gram(ComputeBatch c, ComputeBatch a, Side side) override;
  void polynomial(ComputeBatch z, ComputeBatch a, double c0, double c1, double c2) override;
  void symmetric(ComputeBatch c, ComputeBatch a, ComputeBatch b) override;
  bool prefersGram(int64_t rows, int64_t cols) const override;
  int64_t preferredBatch(int64_t rows, int64_t cols) const override;

  // normalize.cu; rows.cu, columns.cu: statistics
  void normalize(ComputeBatch y, Batch x, double target, double smallest) override;
  void normalize(Batch y, Batch x, double target, double smallest) override;
  void rowMeanSquare(float* out, Batch x) override;
  void columnMeanSquare(float* out, Batch x) override;
  void scaleColumns(Batch x, const float* s, float eps) override;
  void normalizeRows(Batch x, float* v, float beta, float eps, bool divide) override;

  // elementwise.cu
  void axpby(float* y, const float* x, float a, float b, int64_t n) override;
  void momentum(Batch u, const ScatteredBatch& m, const ScatteredBatch& g, float beta, bool nesterov) override;
  void divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) override;
  void lerpSquare(float* s, const float* x, float w, int64_t n) override;
  void scaled(float* y, const float* x, float a, const float* factor, int64_t n) override;
  void decayAndUpdate(const ScatteredBatch& w, Batch u, float decay, float eta, const float* scale) override;
  void adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) override;

  // sums.cu
  void sumSquares(double* out, Batch x) override;
  void sumSquares(double* out, const std::vector<Matrix>& x) override;
  void addDoubles(double* y, const double* x, int64_t n) override;
  void updateScale(float* scale, const double* before, const double* after, double target, int64_t n) override;
  void clip(const std::vector<Matrix>& gradients, const double* squares, int64_t n, double limit) override;

  // eigenvalues.cu
  std::shared_ptr<Eigenvalues> gramEigenvalues(Matrix x) override;

  // embedding.cu
  void embed(ComputeMatrix out, Matrix table, const int32_t* tokens) override;
  void embedBackward(Matrix dTable, ComputeMatrix dOut, const int32_t* hostTokens) override;

  // rms_norm.cu
  void rmsNorm(ComputeMatrix y, float* inverseRms, ComputeMatrix x) override;
  void rmsNormBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x, const float* inverseRms) override;

  // activation.cu
  void reluSquared(ComputeMatrix y, ComputeMatrix x) override;
  void reluSquaredBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x) override;

  // attention.cu
  int64_t attentionWorkspace(const Attention& a) const override;
  void attention(ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& a) override;
  void attentionBackward(ComputeMatrix dQkv, ComputeMatrix dOut, ComputeMatrix out, ComputeMatrix qkv, float* saved,
                         const Attention& a) override;

  // cross_entropy.cu
  void crossEntropy(double* loss, ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) override;

 protected:
  float* allocateMemory(int64_t floats) override;
  void releaseMemory(float* p) noexcept override;

 private:
  int64_t computeBytes() const { return info_.computeBytes; }
  // D = alpha·op(A)·op(B) + beta·C by cuBLASLt, for every matrix of a batch. C is not looked at where beta is 0.
  void products(ComputeBatch d, ComputeBatch c, ComputeBatch a, bool transposeA, ComputeBatch b, bool transposeB, double alpha,
                double beta);
  // Whether a product with a symmetric result takes less time as a whole one by cuBLASLt than half of it by own kernels.
  bool wholeIsFaster() const;

  BackendInfo info_;
  Precision precision_;
  std::unique_ptr<PeerUse> use_;
  Stream stream_;
  std::unique_ptr<MemoryPool> pool_;
  std::unique_ptr<Scratch> scratch_;  // working memory of one primitive at a time
  PinnedRing pinned_;                 // what the host works out for the device
  std::unique_ptr<BlasLt> blas_;
  std::unique_ptr<Graph> graph_;      // what was prepared
  std::array<cudaEvent_t, 4> marks_{};
  std::array<bool, 4> marked_{};
  cudaEvent_t reached_ = nullptr;     // what others wait for
  EigenvalueThreads eigenvalues_;
};

}  // namespace muonscope::cuda
