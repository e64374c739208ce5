#include "core/engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <new>
#include <stdexcept>

#include "core/backends.h"

namespace muonscope {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

HostTensor downloadTensor(Backend& backend, std::string name, Matrix m) {
  HostTensor tensor{std::move(name), {m.rows, m.cols}, std::vector<float>(m.size())};
  backend.download(tensor.data.data(), m.data, m.size());
  return tensor;
}

const std::string kWeight = "weight.", kOptimizer = "optimizer.";

}  // namespace

Engine::Engine(const EngineConfig& config) : config_(config.model), backend_(makeBackend(config.backend, config.threads)) {
  try {
    model_ = std::make_unique<Model>(*backend_, config.model, config.batch, config.seed);
    optimizer_ = makeOptimizer(*backend_, model_->parameters(), config.preset, config.matrixKnobs, config.auxiliaryKnobs,
                               config.ranks);
    diagnostics_ = makeDiagnostics(*backend_);
  } catch (const std::bad_alloc& error) {
    throw std::runtime_error(std::string("the model does not fit into memory (") + error.what() +
                             "): lower the batch size, the context, the width or the number of layers");
  }
}

int64_t Engine::microBatches(const std::vector<int32_t>& tokens) const {
  const auto count = static_cast<int64_t>(tokens.size()), each = model_->tokensPerBatch();
  if (count == 0 || count % each)
    throw std::invalid_argument("tokens: expected a multiple of batch · (context + 1) = " + std::to_string(each) +
                                " ids, received " + std::to_string(count));
  for (int64_t i = 0; i < count; i++)
    if (tokens[i] < 0 || tokens[i] >= config_.vocabulary)
      throw std::invalid_argument("tokens: expected ids from 0 to " + std::to_string(config_.vocabulary - 1) + ", received " +
                                  std::to_string(tokens[i]) + " at position " + std::to_string(i));
  return count / each;
}

double Engine::accumulateGradients(const std::vector<int32_t>& tokens) {
  const int64_t count = microBatches(tokens);
  double sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += model_->lossAndGradients(tokens.data() + i * model_->tokensPerBatch(), 1.0f / static_cast<float>(count), i > 0);
  return sum / double(count);
}

StepResult Engine::step(const std::vector<int32_t>& tokens, const StepOptions& options) {
  if (!(options.lrScale >= 0) || !std::isfinite(options.lrScale))
    throw std::invalid_argument("lrScale: expected a finite number of at least 0, received " + std::to_string(options.lrScale));
  if (!(options.clip >= 0))
    throw std::invalid_argument("clip: expected a number of at least 0, received " + std::to_string(options.clip));
  for (const auto& request : options.measure)
    if (std::none_of(parameters().begin(), parameters().end(), [&](const Parameter& p) { return p.name == request.tensor; }))
      throw std::invalid_argument("measure: expected the name of a parameter, received \"" + request.tensor + "\"");
  diagnostics_->request(options.measure);

  StepResult result;
  const Stopwatch modelTime;
  result.loss = accumulateGradients(tokens);
  double squares = 0;
  if (!std::isfinite(result.loss)) result.nonFinite = "loss";
  for (const auto& p : parameters()) {
    // Sums of squares of finite fp32 numbers stay finite in the fp64 they are formed in.
    const double sum = backend_->sumSquares(p.gradient.data, p.gradient.size());
    if (!std::isfinite(sum) && result.nonFinite.empty()) result.nonFinite = p.name;
    squares += sum;
  }
  result.gradNorm = std::sqrt(squares);
  result.time.forwardBackward = modelTime.seconds();
  if (!result.nonFinite.empty()) {
    diagnostics_->take();
    return result;
  }

  const Stopwatch optimizerTime;
  if (options.clip > 0 && result.gradNorm > options.clip) {
    // As torch.nn.utils.clip_grad_norm_, whose 1e-6 guards a norm of zero.
    const auto factor = static_cast<float>(options.clip / (result.gradNorm + 1e-6));
    for (const auto& p : parameters()) backend_->axpby(p.gradient.data, p.gradient.data, factor, 0, p.gradient.size());
  }
  result.phases = optimizer_->step(options.lrScale, diagnostics_.get()).phases;
  result.measurements = diagnostics_->take();
  for (const auto& m : result.measurements) result.time.diagnostics += m.seconds;
  result.time.optimizer = optimizerTime.seconds() - result.time.diagnostics;
  result.applied = true;
  return result;
}

double Engine::evaluate(const std::vector<int32_t>& tokens) {
  const int64_t count = microBatches(tokens);
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += model_->loss(tokens.data() + i * model_->tokensPerBatch());
  return sum / double(count);
}

Gradients Engine::gradients(const std::vector<int32_t>& tokens) {
  Gradients result{accumulateGradients(tokens), {}};
  for (const auto& p : parameters()) result.tensors.push_back(downloadTensor(*backend_, p.name, p.gradient));
  return result;
}

Checkpoint Engine::save() const {
  Checkpoint checkpoint{optimizer_->stepCount(), {}};
  for (const auto& p : parameters()) checkpoint.tensors.push_back(downloadTensor(*backend_, kWeight + p.name, p.weight));
  for (const auto& state : optimizer_->state())
    checkpoint.tensors.push_back({kOptimizer + state.name, state.shape, optimizer_->readState(state.name)});
  return checkpoint;
}

void Engine::load(const Checkpoint& checkpoint) {
  if (checkpoint.step < 0)
    throw std::invalid_argument("checkpoint: expected a step of at least 0, received " + std::to_string(checkpoint.step));
  std::map<std::string, std::vector<int64_t>> expected;
  for (const auto& p : parameters()) expected[kWeight + p.name] = {p.weight.rows, p.weight.cols};
  for (const auto& state : optimizer_->state()) expected[kOptimizer + state.name] = state.shape;

  std::map<std::string, const HostTensor*> received;
  for (const auto& tensor : checkpoint.tensors) {
    const auto known = expected.find(tensor.name);
    if (known == expected.end())
      throw std::invalid_argument("checkpoint: \"" + tensor.name +
                                  "\" belongs to no tensor of this model and optimizer; was it written by a run with other settings?");
    int64_t size = 1;
    for (const int64_t n : known->second) size *= n;
    if (tensor.shape != known->second || static_cast<int64_t>(tensor.data.size()) != size)
      throw std::invalid_argument("checkpoint: expected " + tensor.name + " of shape " + shapeText(known->second) +
                                  ", received " + shapeText(tensor.shape) + " with " + std::to_string(tensor.data.size()) + " values");
    if (!received.emplace(tensor.name, &tensor).second)
      throw std::invalid_argument("checkpoint: \"" + tensor.name + "\" is there twice");
  }
  for (const auto& [name, shape] : expected)
    if (!received.contains(name))
      throw std::invalid_argument("checkpoint: \"" + name + "\" " + shapeText(shape) +
                                  " is missing; was it written by a run with other settings?");

  for (const auto& p : parameters()) backend_->upload(p.weight.data, received[kWeight + p.name]->data.data(), p.weight.size());
  for (const auto& state : optimizer_->state()) optimizer_->writeState(state.name, received[kOptimizer + state.name]->data);
  optimizer_->setStepCount(checkpoint.step);
}

}  // namespace muonscope
