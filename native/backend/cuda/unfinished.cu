// Temporary: what is not written yet.
#include "backend/cuda/cuda_backend.h"

namespace muonscope::cuda {

__attribute__((weak)) int64_t CudaBackend::freeBytes() const { throw std::runtime_error("freeBytes is not written yet"); }
__attribute__((weak)) void CudaBackend::upload(float* to, const float* hostFrom, int64_t n) { throw std::runtime_error("upload is not written yet"); }
__attribute__((weak)) void CudaBackend::download(float* hostTo, const float* from, int64_t n) { throw std::runtime_error("download is not written yet"); }
__attribute__((weak)) void CudaBackend::read(double* hostTo, const double* from, int64_t n) { throw std::runtime_error("read is not written yet"); }
__attribute__((weak)) void CudaBackend::copy(float* to, const float* from, int64_t n) { throw std::runtime_error("copy is not written yet"); }
__attribute__((weak)) void CudaBackend::zero(float* to, int64_t n) { throw std::runtime_error("zero is not written yet"); }
__attribute__((weak)) void CudaBackend::toCompute(ComputeMatrix y, Matrix x) { throw std::runtime_error("toCompute is not written yet"); }
__attribute__((weak)) void CudaBackend::fromCompute(Batch y, ComputeBatch x) { throw std::runtime_error("fromCompute is not written yet"); }
__attribute__((weak)) double CudaBackend::clock() { throw std::runtime_error("clock is not written yet"); }
__attribute__((weak)) void CudaBackend::mark(Mark) { throw std::runtime_error("mark is not written yet"); }
__attribute__((weak)) double CudaBackend::between(Mark from, Mark to) { throw std::runtime_error("between is not written yet"); }
__attribute__((weak)) void CudaBackend::prepare(const std::function<void()>& work) { throw std::runtime_error("prepare is not written yet"); }
__attribute__((weak)) void CudaBackend::launch() { throw std::runtime_error("launch is not written yet"); }
__attribute__((weak)) void CudaBackend::matmul(Matrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB, float alpha, float beta) { throw std::runtime_error("matmul is not written yet"); }
__attribute__((weak)) void CudaBackend::matmul(ComputeMatrix d, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) { throw std::runtime_error("matmul is not written yet"); }
__attribute__((weak)) void CudaBackend::matmulAdd(ComputeMatrix d, ComputeMatrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) { throw std::runtime_error("matmulAdd is not written yet"); }
__attribute__((weak)) void CudaBackend::multiply(ComputeBatch c, ComputeBatch a, ComputeBatch b) { throw std::runtime_error("multiply is not written yet"); }
__attribute__((weak)) void CudaBackend::gram(ComputeBatch c, ComputeBatch a, Side side) { throw std::runtime_error("gram is not written yet"); }
__attribute__((weak)) void CudaBackend::polynomial(ComputeBatch z, ComputeBatch a, double c0, double c1, double c2) { throw std::runtime_error("polynomial is not written yet"); }
__attribute__((weak)) void CudaBackend::symmetric(ComputeBatch c, ComputeBatch a, ComputeBatch b) { throw std::runtime_error("symmetric is not written yet"); }
__attribute__((weak)) bool CudaBackend::prefersGram(int64_t rows, int64_t cols) const { throw std::runtime_error("prefersGram is not written yet"); }
__attribute__((weak)) int64_t CudaBackend::preferredBatch(int64_t rows, int64_t cols) const { throw std::runtime_error("preferredBatch is not written yet"); }
__attribute__((weak)) void CudaBackend::normalize(ComputeBatch y, Batch x, double target, double smallest) { throw std::runtime_error("normalize is not written yet"); }
__attribute__((weak)) void CudaBackend::normalize(Batch y, Batch x, double target, double smallest) { throw std::runtime_error("normalize is not written yet"); }
__attribute__((weak)) void CudaBackend::rowMeanSquare(float* out, Batch x) { throw std::runtime_error("rowMeanSquare is not written yet"); }
__attribute__((weak)) void CudaBackend::columnMeanSquare(float* out, Batch x) { throw std::runtime_error("columnMeanSquare is not written yet"); }
__attribute__((weak)) void CudaBackend::scaleColumns(Batch x, const float* s, float eps) { throw std::runtime_error("scaleColumns is not written yet"); }
__attribute__((weak)) void CudaBackend::normalizeRows(Batch x, float* v, float beta, float eps, bool divide) { throw std::runtime_error("normalizeRows is not written yet"); }
__attribute__((weak)) void CudaBackend::axpby(float* y, const float* x, float a, float b, int64_t n) { throw std::runtime_error("axpby is not written yet"); }
__attribute__((weak)) void CudaBackend::momentum(Batch u, const ScatteredBatch& m, const ScatteredBatch& g, float beta, bool nesterov) { throw std::runtime_error("momentum is not written yet"); }
__attribute__((weak)) void CudaBackend::divideByRoot(float* y, const float* x, const float* s, float eps, int64_t n) { throw std::runtime_error("divideByRoot is not written yet"); }
__attribute__((weak)) void CudaBackend::lerpSquare(float* s, const float* x, float w, int64_t n) { throw std::runtime_error("lerpSquare is not written yet"); }
__attribute__((weak)) void CudaBackend::scaled(float* y, const float* x, float a, const float* factor, int64_t n) { throw std::runtime_error("scaled is not written yet"); }
__attribute__((weak)) void CudaBackend::decayAndUpdate(const ScatteredBatch& w, Batch u, float decay, float eta, const float* scale) { throw std::runtime_error("decayAndUpdate is not written yet"); }
__attribute__((weak)) void CudaBackend::adamw(float* w, float* m, float* s, const float* g, const AdamW& p, int64_t n) { throw std::runtime_error("adamw is not written yet"); }
__attribute__((weak)) void CudaBackend::sumSquares(double* out, Batch x) { throw std::runtime_error("sumSquares is not written yet"); }
__attribute__((weak)) void CudaBackend::sumSquares(double* out, const std::vector<Matrix>& x) { throw std::runtime_error("sumSquares is not written yet"); }
__attribute__((weak)) void CudaBackend::addDoubles(double* y, const double* x, int64_t n) { throw std::runtime_error("addDoubles is not written yet"); }
__attribute__((weak)) void CudaBackend::updateScale(float* scale, const double* before, const double* after, double target, int64_t n) { throw std::runtime_error("updateScale is not written yet"); }
__attribute__((weak)) void CudaBackend::clip(const std::vector<Matrix>& gradients, const double* squares, int64_t n, double limit) { throw std::runtime_error("clip is not written yet"); }
__attribute__((weak)) void CudaBackend::gramEigenvalues(double* hostOut, Matrix x) { throw std::runtime_error("gramEigenvalues is not written yet"); }
__attribute__((weak)) void CudaBackend::embed(ComputeMatrix out, Matrix table, const int32_t* tokens) { throw std::runtime_error("embed is not written yet"); }
__attribute__((weak)) void CudaBackend::embedBackward(Matrix dTable, ComputeMatrix dOut, const int32_t* hostTokens) { throw std::runtime_error("embedBackward is not written yet"); }
__attribute__((weak)) void CudaBackend::rmsNorm(ComputeMatrix y, float* inverseRms, ComputeMatrix x) { throw std::runtime_error("rmsNorm is not written yet"); }
__attribute__((weak)) void CudaBackend::rmsNormBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x, const float* inverseRms) { throw std::runtime_error("rmsNormBackward is not written yet"); }
__attribute__((weak)) void CudaBackend::reluSquared(ComputeMatrix y, ComputeMatrix x) { throw std::runtime_error("reluSquared is not written yet"); }
__attribute__((weak)) void CudaBackend::reluSquaredBackward(ComputeMatrix dx, ComputeMatrix dy, ComputeMatrix x) { throw std::runtime_error("reluSquaredBackward is not written yet"); }
__attribute__((weak)) int64_t CudaBackend::attentionWorkspace(const Attention& a) const { throw std::runtime_error("attentionWorkspace is not written yet"); }
__attribute__((weak)) void CudaBackend::attention(ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& a) { throw std::runtime_error("attention is not written yet"); }
__attribute__((weak)) void CudaBackend::attentionBackward(ComputeMatrix dQkv, ComputeMatrix dOut, ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& a) { throw std::runtime_error("attentionBackward is not written yet"); }
__attribute__((weak)) void CudaBackend::crossEntropy(double* loss, ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) { throw std::runtime_error("crossEntropy is not written yet"); }
__attribute__((weak)) float* CudaBackend::allocateMemory(int64_t floats) { throw std::runtime_error("allocateMemory is not written yet"); }
__attribute__((weak)) void CudaBackend::releaseMemory(float* p) noexcept {}

}  // namespace muonscope::cuda
