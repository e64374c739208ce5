// GPT as modded-nanogpt trains it at GPT-2's shape, written over a backend's primitives: token embedding; L blocks of
// RMSNorm → causal attention (fused QKV, QK-norm, RoPE, output projection) and RMSNorm → MLP (×4, ReLU²), each added
// to the residual stream; RMSNorm; untied head. No biases, no gains.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "core/device_buffer.h"
#include "core/optimizer.h"

namespace muonscope {

struct ModelConfig {
  int64_t vocabulary;  // V
  int64_t layers;      // L
  int64_t width;       // C, a multiple of 2·heads
  int64_t heads;       // H
  int64_t context;     // T
  bool zeroProjections;  // attn.out, mlp.down and head start at zero
};

class Model {
 public:
  // `batch`: sequences in a micro-batch (B). All memory is allocated here. The backend must outlive the model.
  // Throws std::invalid_argument for a shape that cannot be, std::bad_alloc when it does not fit.
  Model(Backend& backend, const ModelConfig& config, int64_t batch, uint64_t seed);

  // Weights are [out, in] as in PyTorch: embed [V, C]; blocks.I.attn.qkv [3C, C], attn.out [C, C], mlp.up [4C, C],
  // mlp.down [C, 4C]; head [V, C].
  const std::vector<Parameter>& parameters() const { return parameters_; }

  // Token ids that one micro-batch takes: B·(T + 1), sequence after sequence. Ids must be in [0, V): unchecked here.
  int64_t tokensPerBatch() const { return batch_ * (config_.context + 1); }

  // Mean loss of one micro-batch in nats per token. Host memory; changes neither weights nor gradients.
  double loss(const int32_t* tokens);

  // The same, and gradients of scale·loss: set, or with `accumulate` added to those that are there.
  double lossAndGradients(const int32_t* tokens, float scale, bool accumulate);

 private:
  struct BlockWeights {
    Matrix qkv, out, up, down;
  };
  // What the forward pass keeps of one block for the backward pass; N = B·T rows.
  struct BlockActivations {
    Matrix input;            // [N, C], residual stream
    Matrix attentionNorm;    // [N, C]
    float* attentionRms;     // [N]
    Matrix qkv;              // [N, 3C]
    float* attentionSaved;
    Matrix attention;        // [N, C]
    Matrix middle;           // [N, C], residual stream after attention
    Matrix mlpNorm;          // [N, C]
    float* mlpRms;           // [N]
    Matrix up;               // [N, 4C], before ReLU²
  };

  void addParameters();
  void initialize(uint64_t seed);
  void planActivations();
  double forward(const int32_t* tokens, bool gradient, float scale);
  void forwardBlock(const BlockWeights& w, const BlockActivations& a, Matrix output);
  void backward(float beta);
  void backwardBlock(const BlockWeights& w, const BlockWeights& d, const BlockActivations& a, float beta);

  Backend& backend_;
  const ModelConfig config_;
  const int64_t batch_;
  std::vector<Parameter> parameters_;
  std::vector<BlockWeights> weights_, gradients_;
  std::vector<BlockActivations> blocks_;
  std::vector<DeviceBuffer> memory_;
  Backend::Attention attention_{};
  std::vector<int32_t> inputs_, targets_;  // on the host, sorted out of the token ids
  int32_t* deviceInputs_ = nullptr;
  int32_t* deviceTargets_ = nullptr;
  Matrix output_{}, outputNorm_{}, logits_{};  // [N, C], [N, C], [N, V]
  float* outputRms_ = nullptr;
  Matrix hidden_{};                                                // [N, 4C], after ReLU²
  Matrix dStream_{}, dNorm_{}, dAttention_{}, dQkv_{}, dHidden_{};  // gradients, reused block after block
};

}  // namespace muonscope
