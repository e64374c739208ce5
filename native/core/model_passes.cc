// The model's forward and backward pass.
#include "core/model.h"

namespace muonscope {

void Model::loss(const int32_t* tokens, double* loss) { forward(tokens, false, 1, loss); }

void Model::lossAndGradients(const int32_t* tokens, float scale, bool accumulate, double* loss) {
  forward(tokens, true, scale, loss);
  backward(accumulate ? 1.0f : 0.0f);
}

void Model::refreshWeights() {
  if (!weightsAreStale_) return;
  for (size_t i = 0; i < parameters_.size(); i++)
    if (computeWeights_[i].data && computeWeights_[i].data != parameters_[i].weight.data)
      backend_.toCompute(computeWeights_[i], parameters_[i].weight);
  weightsAreStale_ = false;
}

void Model::forward(const int32_t* tokens, bool gradient, float scale, double* loss) {
  refreshWeights();
  const int64_t time = config_.context;
  for (int64_t b = 0; b < batch_; b++)
    for (int64_t t = 0; t < time; t++) {
      inputs_[b * time + t] = tokens[b * (time + 1) + t];
      targets_[b * time + t] = tokens[b * (time + 1) + t + 1];
    }
  const int64_t n = batch_ * time;
  backend_.upload(reinterpret_cast<float*>(deviceInputs_), reinterpret_cast<const float*>(inputs_.data()), n);
  backend_.upload(reinterpret_cast<float*>(deviceTargets_), reinterpret_cast<const float*>(targets_.data()), n);

  backend_.embed(blocks_[0].input, parameters_.front().weight, deviceInputs_);
  for (size_t i = 0; i < blocks_.size(); i++) {
    forwardBlock(weights_[i], blocks_[i]);
    backend_.reluSquared(hidden_, blocks_[i].up);
    backend_.matmulAdd(i + 1 < blocks_.size() ? blocks_[i + 1].input : output_, blocks_[i].middle, hidden_, false, weights_[i].down, true);
  }
  backend_.rmsNorm(outputNorm_, outputRms_, output_);
  backend_.matmul(logits_, outputNorm_, false, computeWeights_.back(), true);
  backend_.crossEntropy(loss, logits_, deviceTargets_, gradient, scale);
}

void Model::forwardBlock(const BlockWeights& w, const BlockActivations& a) {
  backend_.rmsNorm(a.attentionNorm, a.attentionRms, a.input);
  backend_.matmul(a.qkv, a.attentionNorm, false, w.qkv, true);
  backend_.attention(a.attention, a.qkv, a.attentionSaved, attention_);
  backend_.matmulAdd(a.middle, a.input, a.attention, false, w.out, true);
  backend_.rmsNorm(a.mlpNorm, a.mlpRms, a.middle);
  backend_.matmul(a.up, a.mlpNorm, false, w.up, true);
}

void Model::backward(float beta) {
  // For y = x·Wᵀ: dW = dyᵀ·x and dx = dy·W. The logits hold their own gradient since crossEntropy.
  backend_.matmul(parameters_.back().gradient, logits_, true, outputNorm_, false, 1, beta);
  backend_.matmul(dNorm_, logits_, false, computeWeights_.back(), false);
  backend_.zero(static_cast<float*>(dStream_.data), computeFloats(backend_, dStream_.size()));
  backend_.rmsNormBackward(dStream_, dNorm_, output_, outputRms_);
  for (size_t i = blocks_.size(); i-- > 0;) {
    // The last block's activations are there still.
    if (config_.recompute && i + 1 < blocks_.size()) forwardBlock(weights_[i], blocks_[i]);
    backwardBlock(weights_[i], gradients_[i], blocks_[i], beta);
  }
  const Matrix dEmbed = parameters_.front().gradient;
  if (beta == 0) backend_.zero(dEmbed.data, dEmbed.size());
  backend_.embedBackward(dEmbed, dStream_, inputs_.data());
}

void Model::backwardBlock(const BlockWeights& w, const BlockGradients& d, const BlockActivations& a, float beta) {
  // ReLU² once more rather than kept: 4C numbers a token, the largest activation, for one pass over them.
  backend_.reluSquared(hidden_, a.up);
  backend_.matmul(d.down, dStream_, true, hidden_, false, 1, beta);
  backend_.matmul(dHidden_, dStream_, false, w.down, false);
  backend_.reluSquaredBackward(dHidden_, dHidden_, a.up);
  backend_.matmul(d.up, dHidden_, true, a.mlpNorm, false, 1, beta);
  backend_.matmul(dNorm_, dHidden_, false, w.up, false);
  backend_.rmsNormBackward(dStream_, dNorm_, a.middle, a.mlpRms);

  backend_.matmul(d.out, dStream_, true, a.attention, false, 1, beta);
  backend_.matmul(dAttention_, dStream_, false, w.out, false);
  backend_.attentionBackward(dQkv_, dAttention_, a.attention, a.qkv, a.attentionSaved, attention_);
  backend_.matmul(d.qkv, dQkv_, true, a.attentionNorm, false, 1, beta);
  backend_.matmul(dNorm_, dQkv_, false, w.qkv, false);
  backend_.rmsNormBackward(dStream_, dNorm_, a.input, a.attentionRms);
}

}  // namespace muonscope
