// The CPU backend: BLAS for products, own threads and loops for the rest. Clear first: it is the reference that
// other backends are checked against. One file of definitions per section of backend.h.
#pragma once

#include <array>

#include "backend/backend.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/thread_pool.h"

namespace muonscope {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads);
  const BackendInfo& info() const override { return info_; }

  // cpu_backend.cc
  int64_t freeBytes() const override;
  void upload(float* to, const float* hostFrom, int64_t n) override;
  void download(float* hostTo, const float* from, int64_t n) override;
  void read(double* hostTo, const double* from, int64_t n) override;
  void copy(float* to, const float* from, int64_t n) override;
  void zero(float* to, int64_t n) override;
  void toCompute(ComputeMatrix y, Matrix x) override;
  void fromCompute(Batch y, ComputeBatch x) override;
  std::unique_ptr<Backend> onDevice(int device) const override;
  void waitFor(Backend&) override {}

  // time.cc
  double clock() override;
  void mark(Mark mark) override;
  double between(Mark from, Mark to) override;
  void prepare(const std::function<void()>& work) override;
  void launch() override;
  bool timesPreparedWork() const override { return true; }

  // products.cc
  void matmul(Matrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB, float alpha, float beta) override;
  void matmul(ComputeMatrix d, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) override;
  void matmulAdd(ComputeMatrix d, ComputeMatrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) override;
  void multiply(ComputeBatch c, ComputeBatch a, ComputeBatch b) override;

  // symmetric.cc
  void gram(ComputeBatch c, ComputeBatch a, Side side) override;
  void polynomial(ComputeBatch z, ComputeBatch a, double c0, double c1, double c2) override;
  void symmetric(ComputeBatch c, ComputeBatch a, ComputeBatch b) override;
  bool prefersGram(int64_t rows, int64_t cols) const override;
  int64_t preferredBatch(int64_t rows, int64_t cols) const override;

  // elementwise.cc
  void axpby(float* y, const float* x, float a, float b, int64_t n) override;
  void momentum(Batch u, const ScatteredBatch& m, const ScatteredBatch& g, float beta, bool nesterov) override;
  void divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) override;
  void lerpSquare(float* s, const float* x, float w, int64_t n) override;
  void scaled(float* y, const float* x, float a, const float* factor, int64_t n) override;
  void decayAndUpdate(const ScatteredBatch& w, Batch u, float decay, float eta, const float* scale) override;
  void adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) override;

  // sums.cc
  void sumSquares(double* out, Batch x) override;
  void sumSquares(double* out, const std::vector<Matrix>& x) override;
  void addDoubles(double* y, const double* x, int64_t n) override;
  void updateScale(float* scale, const double* before, const double* after, double target, int64_t n) override;
  void clip(const std::vector<Matrix>& gradients, const double* squares, int64_t n, double limit) override;
  void normalize(ComputeBatch y, Batch x, double target, double smallest) override;
  void normalize(Batch y, Batch x, double target, double smallest) override;

  // statistics.cc
  void rowMeanSquare(float* out, Batch x) override;
  void columnMeanSquare(float* out, Batch x) override;
  void scaleColumns(Batch x, const float* s, float eps) override;
  void normalizeRows(Batch x, float* v, float beta, float eps, bool divide) override;

  // eigenvalues.cc
  std::shared_ptr<Eigenvalues> gramEigenvalues(Matrix x) override;

  // embedding.cc
  void embed(ComputeMatrix out, Matrix table, const int32_t* tokens) override;
  void embedBackward(Matrix dTable, ComputeMatrix dOut, const int32_t* hostTokens) override;

  // normalization.cc
  void rmsNorm(ComputeMatrix y, float* inverseRms, ComputeMatrix x) override;
  void rmsNormBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x, const float* inverseRms) override;

  // activation.cc
  void reluSquared(ComputeMatrix y, ComputeMatrix x) override;
  void reluSquaredBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x) override;

  // attention.cc
  int64_t attentionWorkspace(const Attention& a) const override;
  void attention(ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& a) override;
  void attentionBackward(ComputeMatrix dQkv, ComputeMatrix dOut, ComputeMatrix out, ComputeMatrix qkv, float* saved,
                         const Attention& a) override;

  // cross_entropy.cc
  void crossEntropy(double* loss, ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) override;

 protected:
  float* allocateMemory(int64_t floats) override;
  void releaseMemory(float* p) noexcept override;

 private:
  ThreadPool pool_;
  BackendInfo info_;
  // Working memory of one primitive at a time; each grows to the largest use and stays.
  Scratch scratch_;
  std::function<void()> prepared_;
  std::array<double, 4> marks_{};  // of clock(); 0 is none
};

// The compute type is fp32.
inline Matrix fp32(ComputeMatrix m) { return {static_cast<float*>(m.data), m.rows, m.cols}; }
inline Batch fp32(ComputeBatch b) { return {static_cast<float*>(b.data), b.count, b.rows, b.cols, b.size()}; }

}  // namespace muonscope
