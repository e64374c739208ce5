// The CPU backend: BLAS for products, own threads and loops for the rest. Clear first: it is the reference that
// other backends are checked against. One file of definitions per section of backend.h.
#pragma once

#include "backend/backend.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/thread_pool.h"

namespace muonscope {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads);
  const BackendInfo& info() const override { return info_; }

  // cpu_backend.cc
  float* allocate(int64_t floats) override;
  void release(float* p) noexcept override;
  void upload(float* to, const float* from, int64_t n) override;
  void download(float* to, const float* from, int64_t n) override;
  void copy(float* to, const float* from, int64_t n) override;
  void zero(float* to, int64_t n) override;

  // products.cc
  void matmul(Matrix c, Matrix a, bool transposeA, Matrix b, bool transposeB, float alpha, float beta) override;
  void matmulBatch(Batch c, Batch a, bool transposeA, Batch b, bool transposeB, float alpha, float beta) override;
  void gramBatch(Batch c, Batch a, Side side, float alpha, float beta) override;
  int64_t preferredBatch(int64_t rows, int64_t cols) const override;

  // symmetric.cc
  void symmetricBatch(Batch c, Batch a, Batch b) override;
  void addDiagonalBatch(Batch c, float value) override;

  // elementwise.cc
  void axpby(float* y, const float* x, float a, float b, int64_t n) override;
  void linear(float* z, const float* x, const float* y, float a, float b, int64_t n) override;
  void divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) override;
  void lerpSquare(float* s, const float* x, float w, int64_t n) override;
  void decayAndUpdate(float* w, const float* u, float decay, float factor, int64_t n) override;
  void adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) override;

  // statistics.cc
  double sumSquares(const float* x, int64_t n) override;
  void sumSquaresBatch(double* out, Batch x) override;
  bool allFinite(const float* x, int64_t n) override;
  void rowMeanSquare(float* out, Matrix x) override;
  void columnMeanSquare(float* out, Matrix x) override;
  void scaleRows(Matrix y, Matrix x, const float* s, float eps) override;
  void scaleColumns(Matrix y, Matrix x, const float* s, float eps) override;

  // eigenvalues.cc
  void gramEigenvalues(double* out, Matrix x) override;

  // embedding.cc
  void embed(Matrix out, Matrix table, const int32_t* tokens) override;
  void embedBackward(Matrix dTable, Matrix dOut, const int32_t* tokens) override;

  // normalization.cc
  void rmsNorm(Matrix y, float* inverseRms, Matrix x) override;
  void rmsNormBackward(Matrix dx, Matrix dy, Matrix x, const float* inverseRms) override;

  // activation.cc
  void reluSquared(float* y, const float* x, int64_t n) override;
  void reluSquaredBackward(float* dx, const float* dy, const float* x, int64_t n) override;

  // attention.cc
  int64_t attentionWorkspace(const Attention& a) const override;
  void attention(Matrix out, Matrix qkv, float* saved, const Attention& a) override;
  void attentionBackward(Matrix dQkv, Matrix dOut, Matrix qkv, float* saved, const Attention& a) override;

  // cross_entropy.cc
  double crossEntropy(Matrix logits, const int32_t* targets, bool gradient, float scale) override;

 private:
  ThreadPool pool_;
  BackendInfo info_;
  // Working memory of one primitive at a time; each grows to the largest use and stays.
  Scratch scratch_;
};

}  // namespace muonscope
