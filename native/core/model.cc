// Parameters and memory of the model, its forward and its backward pass.
#include "core/model.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/random.h"

namespace muonscope {
namespace {

constexpr double kRopeBase = 10000;  // Su et al. 2021 (RoFormer, arXiv 2104.09864), section 3.3
constexpr int64_t kMlpRatio = 4;     // Radford et al. 2019 (GPT-2), as in modded-nanogpt

void requireRange(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most)
    throw std::invalid_argument(std::string("model: expected ") + name + " between " + std::to_string(least) + " and " +
                                std::to_string(most) + ", received " + std::to_string(value));
}

void validate(const ModelConfig& c, int64_t batch) {
  // Upper limits keep every product of sizes within 64 bits and every dimension within BLAS's 32.
  requireRange("vocabulary", c.vocabulary, 2, 1 << 24);
  requireRange("layers", c.layers, 1, 1 << 12);
  requireRange("width", c.width, 2, 1 << 17);
  requireRange("heads", c.heads, 1, c.width);
  requireRange("context", c.context, 1, 1 << 20);
  requireRange("batch", batch, 1, 1 << 20);
  if (c.width % (2 * c.heads))
    throw std::invalid_argument("model: expected a width that is a multiple of 2 · heads (RoPE rotates pairs), received width " +
                                std::to_string(c.width) + " and heads " + std::to_string(c.heads));
  if (batch * c.context > std::numeric_limits<int32_t>::max())
    throw std::invalid_argument("model: expected batch · context below 2^31, received " + std::to_string(batch) + " · " +
                                std::to_string(c.context));
}

// Hands out pieces of one allocation; sized by a first pass over the same calls with nothing behind it.
class Plan {
 public:
  explicit Plan(float* base) : base_(base) {}
  float* floats(int64_t n) {
    float* piece = base_ ? base_ + used_ : nullptr;
    used_ += (n + 15) / 16 * 16;  // keeps 64-byte alignment
    return piece;
  }
  Matrix matrix(int64_t rows, int64_t cols) { return {floats(rows * cols), rows, cols}; }
  int64_t used() const { return used_; }

 private:
  float* base_;
  int64_t used_ = 0;
};

}  // namespace

Model::Model(Backend& backend, const ModelConfig& config, int64_t batch, uint64_t seed)
    : backend_(backend), config_(config), batch_(batch) {
  validate(config, batch);
  addParameters();
  planActivations();
  initialize(seed);
}

void Model::addParameters() {
  const int64_t c = config_.width;
  const auto lay = [&](Plan weight, Plan gradient) {
    parameters_.clear();
    weights_.clear();
    gradients_.clear();
    const auto add = [&](std::string name, Group group, int64_t rows, int64_t cols) {
      parameters_.push_back({std::move(name), group, weight.matrix(rows, cols), gradient.matrix(rows, cols)});
      return parameters_.size() - 1;
    };
    add("embed", Group::auxiliary, config_.vocabulary, c);
    for (int64_t i = 0; i < config_.layers; i++) {
      const std::string block = "blocks." + std::to_string(i) + ".";
      const size_t qkv = add(block + "attn.qkv", Group::matrix, 3 * c, c);
      const size_t out = add(block + "attn.out", Group::matrix, c, c);
      const size_t up = add(block + "mlp.up", Group::matrix, kMlpRatio * c, c);
      const size_t down = add(block + "mlp.down", Group::matrix, c, kMlpRatio * c);
      const auto& p = parameters_;
      weights_.push_back({p[qkv].weight, p[out].weight, p[up].weight, p[down].weight});
      gradients_.push_back({p[qkv].gradient, p[out].gradient, p[up].gradient, p[down].gradient});
    }
    add("head", Group::auxiliary, config_.vocabulary, c);
    return weight.used();
  };
  const int64_t floats = lay(Plan(nullptr), Plan(nullptr));
  memory_.emplace_back(backend_, floats);
  memory_.emplace_back(backend_, floats);
  lay(Plan(memory_[0].data()), Plan(memory_[1].data()));
}

void Model::planActivations() {
  const int64_t n = batch_ * config_.context, c = config_.width, headDim = c / config_.heads, half = headDim / 2;
  attention_ = {batch_, config_.context, config_.heads, headDim, nullptr, nullptr};
  const auto lay = [&](Plan p) {
    blocks_.clear();
    for (int64_t i = 0; i < config_.layers; i++) {
      BlockActivations a{};
      a.input = p.matrix(n, c);
      a.attentionNorm = p.matrix(n, c);
      a.attentionRms = p.floats(n);
      a.qkv = p.matrix(n, 3 * c);
      a.attentionSaved = p.floats(backend_.attentionWorkspace(attention_));
      a.attention = p.matrix(n, c);
      a.middle = p.matrix(n, c);
      a.mlpNorm = p.matrix(n, c);
      a.mlpRms = p.floats(n);
      a.up = p.matrix(n, kMlpRatio * c);
      blocks_.push_back(a);
    }
    output_ = p.matrix(n, c);
    outputNorm_ = p.matrix(n, c);
    outputRms_ = p.floats(n);
    logits_ = p.matrix(n, config_.vocabulary);
    hidden_ = p.matrix(n, kMlpRatio * c);
    dStream_ = p.matrix(n, c);
    dNorm_ = p.matrix(n, c);
    dAttention_ = p.matrix(n, c);
    dQkv_ = p.matrix(n, 3 * c);
    dHidden_ = p.matrix(n, kMlpRatio * c);
    attention_.cosines = p.floats(config_.context * half);
    attention_.sines = p.floats(config_.context * half);
    // Ids are as large as floats, and are only copied as such.
    deviceInputs_ = reinterpret_cast<int32_t*>(p.floats(n));
    deviceTargets_ = reinterpret_cast<int32_t*>(p.floats(n));
    return p.used();
  };
  memory_.emplace_back(backend_, lay(Plan(nullptr)));
  lay(Plan(memory_.back().data()));
  inputs_.resize(n);
  targets_.resize(n);

  std::vector<float> cosines(config_.context * half), sines(config_.context * half);
  for (int64_t t = 0; t < config_.context; t++)
    for (int64_t d = 0; d < half; d++) {
      const double angle = double(t) * std::pow(kRopeBase, -double(d) / double(half));
      cosines[t * half + d] = static_cast<float>(std::cos(angle));
      sines[t * half + d] = static_cast<float>(std::sin(angle));
    }
  backend_.upload(const_cast<float*>(attention_.cosines), cosines.data(), config_.context * half);
  backend_.upload(const_cast<float*>(attention_.sines), sines.data(), config_.context * half);
}

void Model::initialize(uint64_t seed) {
  // modded-nanogpt, records/track_3_optimization/train_gpt_simple.py: projections and head zero, embedding N(0, 1),
  // other matrices N(0, 0.33 / fan-in), the variance of PyTorch's default for linear layers.
  for (const auto& p : parameters_) {
    const bool projection = p.name == "head" || p.name.ends_with(".out") || p.name.ends_with(".down");
    if (projection && config_.zeroProjections) continue;  // allocated as zero
    const double deviation = p.name == "embed" ? 1 : std::sqrt(0.33 / double(p.weight.cols));
    const RandomStream random(seed, p.name);
    std::vector<float> values(p.weight.size());
    for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(deviation * random.normal(i));
    backend_.upload(p.weight.data, values.data(), p.weight.size());
  }
}

double Model::loss(const int32_t* tokens) { return forward(tokens, false, 1); }

double Model::lossAndGradients(const int32_t* tokens, float scale, bool accumulate) {
  const double loss = forward(tokens, true, scale);
  backward(accumulate ? 1.0f : 0.0f);
  return loss;
}

double Model::forward(const int32_t* tokens, bool gradient, float scale) {
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
  for (size_t i = 0; i < blocks_.size(); i++)
    forwardBlock(weights_[i], blocks_[i], i + 1 < blocks_.size() ? blocks_[i + 1].input : output_);
  backend_.rmsNorm(outputNorm_, outputRms_, output_);
  backend_.matmul(logits_, outputNorm_, false, parameters_.back().weight, true, 1, 0);
  return backend_.crossEntropy(logits_, deviceTargets_, gradient, scale);
}

void Model::forwardBlock(const BlockWeights& w, const BlockActivations& a, Matrix output) {
  backend_.rmsNorm(a.attentionNorm, a.attentionRms, a.input);
  backend_.matmul(a.qkv, a.attentionNorm, false, w.qkv, true, 1, 0);
  backend_.attention(a.attention, a.qkv, a.attentionSaved, attention_);
  backend_.copy(a.middle.data, a.input.data, a.input.size());
  backend_.matmul(a.middle, a.attention, false, w.out, true, 1, 1);

  backend_.rmsNorm(a.mlpNorm, a.mlpRms, a.middle);
  backend_.matmul(a.up, a.mlpNorm, false, w.up, true, 1, 0);
  backend_.reluSquared(hidden_.data, a.up.data, a.up.size());
  backend_.copy(output.data, a.middle.data, a.middle.size());
  backend_.matmul(output, hidden_, false, w.down, true, 1, 1);
}

void Model::backward(float beta) {
  // For y = x·Wᵀ: dW = dyᵀ·x and dx = dy·W. The logits hold their own gradient since crossEntropy.
  const Parameter& head = parameters_.back();
  backend_.matmul(head.gradient, logits_, true, outputNorm_, false, 1, beta);
  backend_.matmul(dNorm_, logits_, false, head.weight, false, 1, 0);
  backend_.zero(dStream_.data, dStream_.size());
  backend_.rmsNormBackward(dStream_, dNorm_, output_, outputRms_);
  for (size_t i = blocks_.size(); i-- > 0;) backwardBlock(weights_[i], gradients_[i], blocks_[i], beta);
  const Matrix dEmbed = parameters_.front().gradient;
  if (beta == 0) backend_.zero(dEmbed.data, dEmbed.size());
  backend_.embedBackward(dEmbed, dStream_, deviceInputs_);
}

void Model::backwardBlock(const BlockWeights& w, const BlockWeights& d, const BlockActivations& a, float beta) {
  // ReLU² once more rather than kept: 4C floats a token, the largest activation, for one pass over them.
  backend_.reluSquared(hidden_.data, a.up.data, a.up.size());
  backend_.matmul(d.down, dStream_, true, hidden_, false, 1, beta);
  backend_.matmul(dHidden_, dStream_, false, w.down, false, 1, 0);
  backend_.reluSquaredBackward(dHidden_.data, dHidden_.data, a.up.data, a.up.size());
  backend_.matmul(d.up, dHidden_, true, a.mlpNorm, false, 1, beta);
  backend_.matmul(dNorm_, dHidden_, false, w.up, false, 1, 0);
  backend_.rmsNormBackward(dStream_, dNorm_, a.middle, a.mlpRms);

  backend_.matmul(d.out, dStream_, true, a.attention, false, 1, beta);
  backend_.matmul(dAttention_, dStream_, false, w.out, false, 1, 0);
  backend_.attentionBackward(dQkv_, dAttention_, a.qkv, a.attentionSaved, attention_);
  backend_.matmul(d.qkv, dQkv_, true, a.attentionNorm, false, 1, beta);
  backend_.matmul(dNorm_, dQkv_, false, w.qkv, false, 1, 0);
  backend_.rmsNormBackward(dStream_, dNorm_, a.input, a.attentionRms);
}

}  // namespace muonscope
