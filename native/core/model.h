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
  bool recompute;        // of each block keep its input alone, and compute the rest again for the backward pass
};

// Bytes.
struct ModelMemory {
  int64_t weights, gradients, activations;
};

class Model {
 public:
  // `batch`: sequences in a micro-batch (B). All memory is allocated here, and nothing more done than that. The backend
  // must outlive the model.
  // Throws std::invalid_argument for a shape that cannot be, std::bad_alloc when it does not fit.
  Model(Backend& backend, const ModelConfig& config, int64_t batch);

  // Random weights; needed before anything else.
  void initialize(uint64_t seed);
  ModelMemory memory() const;

  // Weights are [out, in] as in PyTorch: embed [V, C]; blocks.I.attn.qkv [3C, C], attn.out [C, C], mlp.up [4C, C],
  // mlp.down [C, 4C]; head [V, C].
  const std::vector<Parameter>& parameters() const { return parameters_; }

  // Token ids that one micro-batch takes: B·(T + 1), sequence after sequence. Ids must be in [0, V): unchecked here.
  int64_t tokensPerBatch() const { return batch_ * (config_.context + 1); }

  // *loss (in the backend's memory) = mean loss of one micro-batch in nats per token. `tokens`: host memory. Changes
  // neither weights nor gradients.
  void loss(const int32_t* tokens, double* loss);

  // The same, and gradients of scale·loss: set, or with `accumulate` added to those that are there.
  void lossAndGradients(const int32_t* tokens, float scale, bool accumulate, double* loss);

  // To be told when somebody has written to the weights.
  void weightsChanged() { weightsAreStale_ = true; }

 private:
  // In the compute type.
  struct BlockWeights {
    ComputeMatrix qkv, out, up, down;
  };
  struct BlockGradients {
    Matrix qkv, out, up, down;
  };
  // What the forward pass keeps of one block for the backward pass; N = B·T rows.
  struct BlockActivations {
    ComputeMatrix input;          // [N, C], residual stream
    ComputeMatrix attentionNorm;  // [N, C]
    float* attentionRms;          // [N]
    ComputeMatrix qkv;            // [N, 3C]
    float* attentionSaved;
    ComputeMatrix attention;      // [N, C]
    ComputeMatrix middle;         // [N, C], residual stream after attention
    ComputeMatrix mlpNorm;        // [N, C]
    float* mlpRms;                // [N]
    ComputeMatrix up;             // [N, 4C], before ReLU²
  };

  void addParameters();
  void addComputeWeights();
  void planActivations();
  void prepareRope();
  void refreshWeights();
  void forward(const int32_t* tokens, bool gradient, float scale, double* loss);
  void forwardBlock(const BlockWeights& w, const BlockActivations& a);  // up to `up`
  void backward(float beta);
  void backwardBlock(const BlockWeights& w, const BlockGradients& d, const BlockActivations& a, float beta);

  Backend& backend_;
  const ModelConfig config_;
  const int64_t batch_;
  std::vector<Parameter> parameters_;
  std::vector<BlockGradients> gradients_;
  std::vector<ComputeMatrix> computeWeights_;  // by parameter, of the embedding none; the weights themselves where they are of that type
  std::vector<BlockWeights> weights_;
  bool weightsAreStale_ = true;
  std::vector<BlockActivations> blocks_;
  // Weights, gradients, weights in the compute type, activations.
  std::vector<DeviceBuffer> memory_;
  Backend::Attention attention_{};
  std::vector<int32_t> inputs_, targets_;  // on the host, sorted out of the token ids
  int32_t* deviceInputs_ = nullptr;
  int32_t* deviceTargets_ = nullptr;
  ComputeMatrix output_{}, outputNorm_{}, logits_{};  // [N, C], [N, C], [N, V]
  float* outputRms_ = nullptr;
  ComputeMatrix hidden_{};                                                // [N, 4C], after ReLU²
  ComputeMatrix dStream_{}, dNorm_{}, dAttention_{}, dQkv_{}, dHidden_{};  // gradients, reused block after block
};

}  // namespace muonscope
