// Parameters and memory of the model. Its passes: model_passes.cc.
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
constexpr int64_t kMostFloats = int64_t{1} << 58;  // of one allocation: sums of a few of them, in bytes, stay within 64 bits

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
  Plan(const Backend& backend, float* base) : backend_(backend), base_(base) {}
  float* floats(int64_t n) {
    if (n > kMostFloats - used_)
      throw std::invalid_argument("model: expected sizes that some machine has memory for, received ones that take more than 2^60 bytes");
    float* piece = base_ ? base_ + used_ : nullptr;
    used_ += (n + 15) / 16 * 16;  // keeps 64-byte alignment
    return piece;
  }
  Matrix matrix(int64_t rows, int64_t cols) { return {floats(rows * cols), rows, cols}; }
  ComputeMatrix compute(int64_t rows, int64_t cols) { return {floats(computeFloats(backend_, rows * cols)), rows, cols}; }
  int64_t used() const { return used_; }

 private:
  const Backend& backend_;
  float* base_;
  int64_t used_ = 0;
};

}  // namespace

Model::Model(Backend& backend, const ModelConfig& config, int64_t batch) : backend_(backend), config_(config), batch_(batch) {
  validate(config, batch);
  addParameters();
  addComputeWeights();
  planActivations();
}

ModelMemory Model::memory() const {
  const auto bytes = [&](size_t i) { return memory_[i].size() * static_cast<int64_t>(sizeof(float)); };
  return {bytes(0) + bytes(2), bytes(1), bytes(3)};
}

void Model::addParameters() {
  const int64_t c = config_.width;
  const auto lay = [&](Plan weight, Plan gradient) {
    parameters_.clear();
    gradients_.clear();
    const auto add = [&](std::string name, Group group, int64_t rows, int64_t cols) {
      parameters_.push_back({std::move(name), group, weight.matrix(rows, cols), gradient.matrix(rows, cols)});
      return parameters_.back().gradient;
    };
    add("embed", Group::auxiliary, config_.vocabulary, c);
    for (int64_t i = 0; i < config_.layers; i++) {
      const std::string block = "blocks." + std::to_string(i) + ".";
      const Matrix qkv = add(block + "attn.qkv", Group::matrix, 3 * c, c);
      const Matrix out = add(block + "attn.out", Group::matrix, c, c);
      const Matrix up = add(block + "mlp.up", Group::matrix, kMlpRatio * c, c);
      const Matrix down = add(block + "mlp.down", Group::matrix, c, kMlpRatio * c);
      gradients_.push_back({qkv, out, up, down});
    }
    add("head", Group::auxiliary, config_.vocabulary, c);
    return weight.used();
  };
  const int64_t floats = lay(Plan(backend_, nullptr), Plan(backend_, nullptr));
  memory_.emplace_back(backend_, floats);
  memory_.emplace_back(backend_, floats);
  lay(Plan(backend_, memory_[0].data()), Plan(backend_, memory_[1].data()));
}

void Model::addComputeWeights() {
  const bool same = backend_.info().computeBytes == sizeof(float);
  const auto lay = [&](Plan p) {
    computeWeights_.clear();
    for (const Parameter& parameter : parameters_) {
      const Matrix w = parameter.weight;
      const bool used = parameter.name != "embed";  // rows of it are looked up, never multiplied
      computeWeights_.push_back(!used || same ? ComputeMatrix{used ? w.data : nullptr, w.rows, w.cols} : p.compute(w.rows, w.cols));
    }
    return p.used();
  };
  memory_.emplace_back(backend_, lay(Plan(backend_, nullptr)));
  lay(Plan(backend_, memory_[2].data()));
  const auto& w = computeWeights_;
  for (size_t i = 1; i + 1 < w.size(); i += 4) weights_.push_back({w[i], w[i + 1], w[i + 2], w[i + 3]});
}

void Model::planActivations() {
  const int64_t n = batch_ * config_.context, c = config_.width, headDim = c / config_.heads, half = headDim / 2;
  attention_ = {batch_, config_.context, config_.heads, headDim, nullptr, nullptr};
  const auto lay = [&](Plan p) {
    blocks_.clear();
    const auto block = [&](BlockActivations a) {
      a.attentionNorm = p.compute(n, c);
      a.attentionRms = p.floats(n);
      a.qkv = p.compute(n, 3 * c);
      a.attentionSaved = p.floats(backend_.attentionWorkspace(attention_));
      a.attention = p.compute(n, c);
      a.middle = p.compute(n, c);
      a.mlpNorm = p.compute(n, c);
      a.mlpRms = p.floats(n);
      a.up = p.compute(n, kMlpRatio * c);
      return a;
    };
    const BlockActivations shared = config_.recompute ? block({}) : BlockActivations{};
    for (int64_t i = 0; i < config_.layers; i++) {
      BlockActivations a = shared;
      a.input = p.compute(n, c);
      blocks_.push_back(config_.recompute ? a : block(a));
    }
    output_ = p.compute(n, c);
    outputNorm_ = p.compute(n, c);
    outputRms_ = p.floats(n);
    logits_ = p.compute(n, config_.vocabulary);
    hidden_ = p.compute(n, kMlpRatio * c);
    dStream_ = p.compute(n, c);
    dNorm_ = p.compute(n, c);
    dAttention_ = p.compute(n, c);
    dQkv_ = p.compute(n, 3 * c);
    dHidden_ = p.compute(n, kMlpRatio * c);
    attention_.cosines = p.floats(config_.context * half);
    attention_.sines = p.floats(config_.context * half);
    // Ids are as large as floats, and are only copied as such.
    deviceInputs_ = reinterpret_cast<int32_t*>(p.floats(n));
    deviceTargets_ = reinterpret_cast<int32_t*>(p.floats(n));
    return p.used();
  };
  memory_.emplace_back(backend_, lay(Plan(backend_, nullptr)));
  lay(Plan(backend_, memory_.back().data()));
}

void Model::prepareRope() {
  const int64_t half = attention_.headDim / 2;
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
  inputs_.resize(static_cast<size_t>(batch_ * config_.context));
  targets_.resize(inputs_.size());
  prepareRope();
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
  weightsChanged();
}

}  // namespace muonscope
