// Causal attention with QK-norm and RoPE. Nothing of size T × T is kept: the forward pass saves the logarithm of each
// row's softmax sum, from which the backward pass makes the probabilities again (Dao 2023, FlashAttention-2, arXiv
// 2307.08691). q and k have RMS 1, so that no score exceeds √D ≤ 16: e^16·T is far from fp32's largest, and no row's
// largest score need be known.
#include <initializer_list>

#include "backend/cuda/attention_data.cuh"
#include "backend/cuda/cuda_backend.h"

namespace muonscope::cuda {
namespace {

void checkMatrix(const char* name, ComputeMatrix x, int64_t rows, int64_t cols) {
  if (x.rows != rows || x.cols != cols)
    throw std::runtime_error(std::string("attention: expected ") + name + " [" + std::to_string(rows) + ", " +
                             std::to_string(cols) + "], received [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) +
                             "]");
}

void checkShape(const Backend::Attention& s, ComputeMatrix qkv, ComputeMatrix out) {
  if (s.headDim % 2 || s.headDim < 2 || s.headDim > plainLargestDim)
    throw std::runtime_error("attention: expected an even head dimension (RoPE rotates pairs) from 2 to " +
                             std::to_string(plainLargestDim) + ", received " + std::to_string(s.headDim) +
                             "; choose another number of heads");
  constexpr int64_t most = 1 << 30;  // indices within a sequence are 32-bit
  if (s.time * s.heads >= most)
    throw std::runtime_error("attention: expected time × heads below " + std::to_string(most) + ", received " +
                             std::to_string(s.time) + " × " + std::to_string(s.heads) + "; train with a smaller context");
  const int64_t tokens = s.batch * s.time, width = s.heads * s.headDim;
  checkMatrix("qkv", qkv, tokens, 3 * width);
  checkMatrix("out", out, tokens, width);
}

// Rows are moved in pieces of 16 bytes.
void checkAligned(std::initializer_list<const void*> pointers) {
  for (const void* p : pointers) {
    const auto beyond = reinterpret_cast<uintptr_t>(p) % 16;
    if (beyond)
      throw std::runtime_error("attention: expected buffers aligned to 16 bytes, received one " + std::to_string(beyond) +
                               " bytes beyond a multiple of them; use what the backend allocates");
  }
}

bool onTensorCores(const AttentionData<bf16>& a) { return a.dim == 64 || a.dim == 128; }

void forward(const Stream& stream, const AttentionData<float>& a) { plainForward(stream, a); }

void forward(const Stream& stream, const AttentionData<bf16>& a) {
  if (onTensorCores(a))
    tensorForward(stream, a);
  else
    plainForward(stream, a);
}

void backward(const Stream& stream, const AttentionData<float>& a) { plainBackward(stream, a); }

void backward(const Stream& stream, const AttentionData<bf16>& a) {
  if (onTensorCores(a))
    tensorBackward(stream, a);
  else
    plainBackward(stream, a);
}

}  // namespace

int64_t CudaBackend::attentionWorkspace(const Attention& a) const { return attentionFloats(a, computeBytes()); }

void CudaBackend::attention(ComputeMatrix out, ComputeMatrix qkv, float* saved, const Attention& s) {
  checkShape(s, qkv, out);
  if (qkv.size() == 0) return;
  checkAligned({out.data, qkv.data, saved, s.cosines, s.sines});
  withComputeType(computeBytes(), [&](auto type) {
    const auto a = attentionData<decltype(type)>(s, qkv.data, out.data, saved);
    rotateHeads(stream_, a);
    forward(stream_, a);
  });
}

void CudaBackend::attentionBackward(ComputeMatrix dQkv, ComputeMatrix dOut, ComputeMatrix out, ComputeMatrix qkv, float* saved,
                                    const Attention& s) {
  checkShape(s, qkv, out);
  checkMatrix("dQkv", dQkv, qkv.rows, qkv.cols);
  checkMatrix("dOut", dOut, out.rows, out.cols);
  if (qkv.size() == 0) return;
  checkAligned({dQkv.data, dOut.data, out.data, qkv.data, saved, s.cosines, s.sines});
  withComputeType(computeBytes(), [&](auto type) {
    using T = decltype(type);
    auto a = attentionData<T>(s, qkv.data, out.data, saved);
    a.dOut = static_cast<const T*>(dOut.data);
    a.dQkv = static_cast<T*>(dQkv.data);
    backward(stream_, a);
  });
}

}  // namespace muonscope::cuda
