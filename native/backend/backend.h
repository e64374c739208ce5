// The primitives that a backend provides. Model and optimizers are written once over them; they know no
// thread, no BLAS and no device. Every buffer handed in lives in the backend's memory unless it says "host". Errors are
// C++ exceptions (std::runtime_error, with what was expected and what came); nothing here exits or aborts.
//
// A backend may do what it is asked for later, but in the order in which it was asked: only the calls that hand
// something to the host wait.
//
// Shapes stand in brackets. All matrices are row-major and contiguous. Weights, gradients and optimizer state are fp32;
// what products take is of the backend's compute type, fp32 or bf16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

// Matrices of one shape that lie anywhere.
struct ScatteredBatch {
  std::vector<float*> data;
  int64_t rows;
  int64_t cols;
  int64_t count() const { return static_cast<int64_t>(data.size()); }
  Matrix operator[](int64_t i) const { return {data[static_cast<size_t>(i)], rows, cols}; }
};

// As Matrix, in the compute type.
struct ComputeMatrix {
  void* data;
  int64_t rows;
  int64_t cols;
  int64_t size() const { return rows * cols; }
};

// As Batch, in the compute type, one matrix directly after the other.
struct ComputeBatch {
  void* data;
  int64_t count;
  int64_t rows;
  int64_t cols;
  int64_t size() const { return rows * cols; }
};

// Which Gram matrix: rows = A·Aᵀ [m, m], columns = Aᵀ·A [n, n].
enum class Side { rows, columns };

struct BackendInfo {
  std::string id;           // "cpu", "cuda"
  std::string description;  // "OpenBLAS 0.3.21 (Zen), 2 threads"
  int threads;
  int64_t computeBytes;     // of a number of the compute type: 4 is fp32, 2 is bf16
};

// Eigenvalues that are still being worked out, perhaps, while the backend does other work.
class Eigenvalues {
 public:
  virtual ~Eigenvalues() = default;
  virtual bool ready() const = 0;
  virtual const std::vector<double>& get() = 0;  // ascending; waits
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const BackendInfo& info() const = 0;

  // ---- memory ----
  // Zeroed, 64-byte aligned; throws std::bad_alloc whose message has the numbers.
  float* allocate(int64_t floats);
  void release(float* p) noexcept;
  // Bytes that `build` allocates at most at one time, without allocating anything: `build` constructs objects and lets
  // them go again; it must not touch what it was given.
  int64_t countBytes(const std::function<void()>& build);
  // Bytes that can still be allocated.
  virtual int64_t freeBytes() const = 0;
  virtual void upload(float* to, const float* hostFrom, int64_t n) = 0;  // the host's memory may be reused at once
  virtual void download(float* hostTo, const float* from, int64_t n) = 0;  // waits
  virtual void read(double* hostTo, const double* from, int64_t n) = 0;    // waits
  virtual void copy(float* to, const float* from, int64_t n) = 0;  // alone, also from and to other devices' memory
  virtual void zero(float* to, int64_t n) = 0;
  virtual void toCompute(ComputeMatrix y, Matrix x) = 0;
  virtual void fromCompute(Batch y, ComputeBatch x) = 0;

  // ---- devices ----
  // A backend like this one on a device: another one, or this one again for work that goes on beside this backend's.
  // Throws std::invalid_argument where there is no such device.
  virtual std::unique_ptr<Backend> onDevice(int device) const = 0;
  // What is asked of this backend from now on is done after what `other`, of the same kind, was asked for so far. Only
  // then may `copy` read what the other wrote, and this backend's other primitives what the other wrote on the same device.
  virtual void waitFor(Backend& other) = 0;

  // ---- time ----
  // Does what was asked for so far, and then reads a clock, in seconds.
  virtual double clock() = 0;
  // Marks a point in the work; `between` gives the seconds from one mark to another and waits until they are reached.
  // 0 when one was never made.
  enum class Mark { modelBegin, modelEnd, optimizerBegin, optimizerEnd };
  virtual void mark(Mark mark) = 0;
  virtual double between(Mark from, Mark to) = 0;
  // Work that is prepared now and done as one by `launch`, once. Without `launch`, none of it is done. What `work` calls
  // may not wait for anything and not allocate.
  virtual void prepare(const std::function<void()>& work) = 0;
  virtual void launch() = 0;
  // Whether the phases of prepared work can be timed one by one; otherwise only those of work that is done directly.
  virtual bool timesPreparedWork() const = 0;

  // ---- products ----
  // C[m, n] = alpha·op(A)·op(B) + beta·C, C in fp32
  virtual void matmul(Matrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB, float alpha, float beta) = 0;
  // D[m, n] = op(A)·op(B)
  virtual void matmul(ComputeMatrix d, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) = 0;
  // D = C + op(A)·op(B); D may not be C
  virtual void matmulAdd(ComputeMatrix d, ComputeMatrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) = 0;

  // ---- Newton–Schulz; each for every matrix of a batch ----
  // Y = X·target/max(‖X‖_F, smallest)
  virtual void normalize(ComputeBatch y, Batch x, double target, double smallest) = 0;
  virtual void normalize(Batch y, Batch x, double target, double smallest) = 0;  // Y may be X
  // C = A·Aᵀ (or Aᵀ·A): symmetric but for rounding, both triangles written; half the arithmetic where that is faster.
  virtual void gram(ComputeBatch c, ComputeBatch a, Side side) = 0;
  // Z = c0·I + c1·A + c2·A² for a symmetric A: likewise.
  virtual void polynomial(ComputeBatch z, ComputeBatch a, double c0, double c1, double c2) = 0;
  // C = A·B for symmetric A and B that commute, whose product is symmetric: half the arithmetic.
  virtual void symmetric(ComputeBatch c, ComputeBatch a, ComputeBatch b) = 0;
  // C = A·B
  virtual void multiply(ComputeBatch c, ComputeBatch a, ComputeBatch b) = 0;
  // Whether the iteration on the Gram matrix is both accurate enough and faster here for matrices of this shape.
  virtual bool prefersGram(int64_t rows, int64_t cols) const = 0;
  // How many matrices of this shape to hand to one batched call: enough to fill the backend, few enough for its caches
  // and memory.
  virtual int64_t preferredBatch(int64_t rows, int64_t cols) const = 0;

  // ---- element-wise ----
  // y = a·x + b·y   (x may be y)
  virtual void axpby(float* y, const float* x, float a, float b, int64_t n) = 0;
  // M ← beta·M + (1 − beta)·G; then U = nesterov ? (1 − beta)·G + beta·M : M, matrix by matrix
  virtual void momentum(Batch u, const ScatteredBatch& m, const ScatteredBatch& g, float beta, bool nesterov) = 0;
  // y = x / (√s + eps), element by element
  virtual void divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) = 0;
  // s = s + w·(x² − s)
  virtual void lerpSquare(float* s, const float* x, float w, int64_t n) = 0;
  // y = a·factor[0]·x
  virtual void scaled(float* y, const float* x, float a, const float* factor, int64_t n) = 0;
  // W = W·(1 − decay) − eta·scale[i]·U, matrix by matrix: decoupled decay and update in one pass. scale[count]
  virtual void decayAndUpdate(const ScatteredBatch& w, Batch u, float decay, float eta, const float* scale) = 0;
  // One AdamW step (Loshchilov & Hutter 2019) in one pass: m, s are its moments, `step` counts from 1.
  struct AdamW {
    float lr, beta1, beta2, eps, weightDecay;
    int64_t step;
  };
  virtual void adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) = 0;

  // ---- statistics: sums are formed in fp64, in an order that depends on the shape alone ----
  virtual void sumSquares(double* out, Batch x) = 0;                              // out[count]
  virtual void sumSquares(double* out, const std::vector<Matrix>& x) = 0;         // out[x.size()]
  // y = y + x
  virtual void addDoubles(double* y, const double* x, int64_t n) = 0;
  // scale_i = after_i > 0 ? target·√before_i/√after_i : 0, with 1 for √before_i where `before` is null. scale[n]
  virtual void updateScale(float* scale, const double* before, const double* after, double target, int64_t n) = 0;
  // Gradients are multiplied by limit/(norm + 1e-6) when their norm, the root of the sum of squares[n], is above the limit.
  virtual void clip(const std::vector<Matrix>& gradients, const double* squares, int64_t n, double limit) = 0;
  virtual void rowMeanSquare(float* out, Batch x) = 0;                            // out[count · m]
  virtual void columnMeanSquare(float* out, Batch x) = 0;                         // out[count · n]
  virtual void scaleColumns(Batch x, const float* s, float eps) = 0;              // x_ij = x_ij / (√s_j + eps), s[count · n]
  // v = beta·v + (1 − beta)·mean square of each row; then, with `divide`, x_ij = x_ij / (√v_i + eps). v[count · m]
  virtual void normalizeRows(Batch x, float* v, float beta, float eps, bool divide) = 0;
  // min(m, n) eigenvalues of the smaller Gram matrix of x formed in fp64: σ² of x. All NaN when x holds something that is
  // not finite. x may change as soon as this returns, which waits for the Gram matrix but not for the eigenvalues.
  virtual std::shared_ptr<Eigenvalues> gramEigenvalues(Matrix x) = 0;

  // ---- model: forward and backward of each layer; B·T tokens, C = H·D channels ----
  virtual void embed(ComputeMatrix out, Matrix table, const int32_t* tokens) = 0;            // out[B·T, C], table[V, C]
  // Adds to dTable, in an order that depends on the tokens alone.
  virtual void embedBackward(Matrix dTable, ComputeMatrix dOut, const int32_t* hostTokens) = 0;
  virtual void rmsNorm(ComputeMatrix y, float* inverseRms, ComputeMatrix x) = 0;             // no gain; inverseRms[B·T]
  virtual void rmsNormBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x, const float* inverseRms) = 0;  // adds to dx
  virtual void reluSquared(ComputeMatrix y, ComputeMatrix x) = 0;
  virtual void reluSquaredBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x) = 0;  // dx may be dy
  struct Attention {
    int64_t batch, time, heads, headDim;
    const float* cosines;  // [T, D/2], RoPE
    const float* sines;    // [T, D/2]
  };
  // qkv[B·T, 3C] → out[B·T, C]: RMS-normalised q and k per head (QK-norm), RoPE, causal softmax(q·kᵀ/√D)·v.
  // `saved` is a buffer of attentionWorkspace() floats that the backward pass reads.
  virtual int64_t attentionWorkspace(const Attention& a) const = 0;
  virtual void attention(ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& a) = 0;
  // `out`: what the forward pass yielded.
  virtual void attentionBackward(ComputeMatrix dQkv, ComputeMatrix dOut, ComputeMatrix out, ComputeMatrix qkv, float* saved,
                                 const Attention& a) = 0;
  // *loss = mean negative log-likelihood over the rows, in nats. With `gradient`, logits become
  // scale·d(mean loss)/d(logits).
  virtual void crossEntropy(double* loss, ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) = 0;

 protected:
  virtual float* allocateMemory(int64_t floats) = 0;
  virtual void releaseMemory(float* p) noexcept = 0;

 private:
  struct Count;
  Count* counting_ = nullptr;
};

struct BackendOptions {
  int threads = 0;                 // 0: one per physical core this process may use
  int device = 0;                  // which GPU, as the CUDA runtime counts them
  std::string precision = "auto";  // "fp32", "tf32", "bf16" (of products), or "auto" for what the backend is fastest with
  std::vector<int> more = {};      // further GPUs, for ranks of the optimizer
  std::vector<int> devices() const {
    std::vector<int> all = {device};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

// Whether a backend can be used, and with what.
struct BackendAvailability {
  std::string id;
  bool available;
  std::string detail;                // device or BLAS, and threads; or why it is not available and what to do
  std::vector<std::string> devices;  // GPUs by index: "NVIDIA H200, 139.8 GiB"
};

// Throws std::invalid_argument for an option that the backend does not have; with a remedy.
std::unique_ptr<Backend> makeCpuBackend(const BackendOptions& options);
BackendAvailability cpuAvailability();

// In a library of its own beside this one, loaded here, and only where there is an NVIDIA driver.
std::unique_ptr<Backend> makeCudaBackend(const BackendOptions& options);
BackendAvailability cudaAvailability();

// Eigenvalues, ascending, of the symmetric matrix [n, n] whose lower triangle (row-major) is in `a`, which is overwritten.
// Host memory; LAPACK. Throws std::runtime_error when it does not converge.
void symmetricEigenvalues(double* out, double* a, int64_t n);

}  // namespace muonscope
