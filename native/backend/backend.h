// The primitives that a backend provides. Model and optimizers are written once over them; they know no
// thread, no BLAS and no device. Every buffer handed in lives in the backend's memory. Errors are C++
// exceptions (std::runtime_error, with what was expected and what came); nothing here exits or aborts.
//
// Shapes stand in brackets. All matrices are row-major, contiguous, fp32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace muonscope {

struct Matrix {
  float* data;
  int64_t rows;
  int64_t cols;
  int64_t size() const { return rows * cols; }
};

// `count` matrices of one shape, `stride` floats from one to the next.
struct Batch {
  float* data;
  int64_t count;
  int64_t rows;
  int64_t cols;
  int64_t stride;
  Matrix operator[](int64_t i) const { return {data + i * stride, rows, cols}; }
};

// Which Gram matrix: rows = A·Aᵀ [m, m], columns = Aᵀ·A [n, n].
enum class Side { rows, columns };

struct BackendInfo {
  std::string id;           // "cpu"
  std::string description;  // "OpenBLAS 0.3.21 (Zen), 2 threads"
  int threads;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const BackendInfo& info() const = 0;

  // ---- memory ----
  virtual float* allocate(int64_t floats) = 0;  // zeroed, 64-byte aligned; throws std::bad_alloc
  virtual void release(float* p) noexcept = 0;
  virtual void upload(float* to, const float* from, int64_t n) = 0;
  virtual void download(float* to, const float* from, int64_t n) = 0;
  virtual void copy(float* to, const float* from, int64_t n) = 0;
  virtual void zero(float* to, int64_t n) = 0;

  // ---- products ----
  // C[m, n] = alpha·op(A)·op(B) + beta·C
  virtual void matmul(Matrix c, Matrix a, bool transposeA, Matrix b, bool transposeB, float alpha, float beta) = 0;
  // The same for each matrix of a batch; runs matrices side by side.
  virtual void matmulBatch(Batch c, Batch a, bool transposeA, Batch b, bool transposeB, float alpha, float beta) = 0;
  // C = alpha·A·Aᵀ + beta·C (or Aᵀ·A), symmetric, both triangles written, half the arithmetic of matmul.
  virtual void gramBatch(Batch c, Batch a, Side side, float alpha, float beta) = 0;
  // C = A·B for square A and B whose product is known to be symmetric (they are symmetric and commute): one triangle
  // is computed and mirrored.
  virtual void symmetricBatch(Batch c, Batch a, Batch b) = 0;
  // C = C + value·I
  virtual void addDiagonalBatch(Batch c, float value) = 0;
  // How many matrices of this shape to hand to one batched call: enough to fill the backend, few enough to stay in cache.
  virtual int64_t preferredBatch(int64_t rows, int64_t cols) const = 0;

  // ---- element-wise ----
  // y = a·x + b·y   (x may be y)
  virtual void axpby(float* y, const float* x, float a, float b, int64_t n) = 0;
  // z = a·x + b·y
  virtual void linear(float* z, const float* x, const float* y, float a, float b, int64_t n) = 0;
  // y = x / (√s + eps), element by element
  virtual void divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) = 0;
  // s = s + w·(x² − s)
  virtual void lerpSquare(float* s, const float* x, float w, int64_t n) = 0;
  // w = w·(1 − decay) − factor·u : decoupled decay and update in one pass over w
  virtual void decayAndUpdate(float* w, const float* u, float decay, float factor, int64_t n) = 0;
  // One AdamW step (Loshchilov & Hutter 2019) in one pass: m, s are its moments, `step` counts from 1.
  struct AdamW {
    float lr, beta1, beta2, eps, weightDecay;
    int64_t step;
  };
  virtual void adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) = 0;

  // ---- statistics (accumulated in fp64, the result independent of the thread count) ----
  virtual double sumSquares(const float* x, int64_t n) = 0;
  virtual void sumSquaresBatch(double* out, Batch x) = 0;                  // out[count], host memory
  virtual bool allFinite(const float* x, int64_t n) = 0;
  virtual void rowMeanSquare(float* out, Matrix x) = 0;                    // out[m]
  virtual void columnMeanSquare(float* out, Matrix x) = 0;                 // out[n]
  virtual void scaleRows(Matrix y, Matrix x, const float* s, float eps) = 0;     // y_ij = x_ij / (√s_i + eps)
  virtual void scaleColumns(Matrix y, Matrix x, const float* s, float eps) = 0;  // y_ij = x_ij / (√s_j + eps)
  // Eigenvalues, ascending, of the smaller Gram matrix of x formed in fp64: σ² of x. out[min(m, n)], host memory.
  // All NaN when x holds something that is not finite.
  virtual void gramEigenvalues(double* out, Matrix x) = 0;

  // ---- model: forward and backward of each layer; B·T tokens, C = H·D channels ----
  virtual void embed(Matrix out, Matrix table, const int32_t* tokens) = 0;                   // out[B·T, C], table[V, C]
  virtual void embedBackward(Matrix dTable, Matrix dOut, const int32_t* tokens) = 0;         // adds to dTable; deterministic
  virtual void rmsNorm(Matrix y, float* inverseRms, Matrix x) = 0;                           // no gain; inverseRms[B·T]
  virtual void rmsNormBackward(Matrix dx, Matrix dy, Matrix x, const float* inverseRms) = 0; // adds to dx
  virtual void reluSquared(float* y, const float* x, int64_t n) = 0;
  virtual void reluSquaredBackward(float* dx, const float* dy, const float* x, int64_t n) = 0;  // dx may be dy
  struct Attention {
    int64_t batch, time, heads, headDim;
    const float* cosines;  // [T, D/2], RoPE
    const float* sines;    // [T, D/2]
  };
  // qkv[B·T, 3C] → out[B·T, C]: RMS-normalised q and k per head (QK-norm), RoPE, causal softmax(q·kᵀ/√D)·v.
  // `saved` is a buffer of attentionWorkspace() floats that the backward pass reads.
  virtual int64_t attentionWorkspace(const Attention& a) const = 0;
  virtual void attention(Matrix out, Matrix qkv, float* saved, const Attention& a) = 0;
  virtual void attentionBackward(Matrix dQkv, Matrix dOut, Matrix qkv, float* saved, const Attention& a) = 0;
  // Mean negative log-likelihood over the rows, in nats. With `gradient`, logits become scale·d(mean loss)/d(logits).
  virtual double crossEntropy(Matrix logits, const int32_t* targets, bool gradient, float scale) = 0;
};

// threads = 0: one per physical core this process may use.
std::unique_ptr<Backend> makeCpuBackend(int threads);

}  // namespace muonscope
