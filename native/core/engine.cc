#include "core/engine.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <stdexcept>

#include "core/backends.h"

namespace muonscope {
namespace {

HostTensor downloadTensor(Backend& backend, std::string name, Matrix m) {
  HostTensor tensor{std::move(name), {m.rows, m.cols}, std::vector<float>(m.size())};
  backend.download(tensor.data.data(), m.data, m.size());
  return tensor;
}

const std::string kWeight = "weight.", kOptimizer = "optimizer.";

std::string gibibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", double(bytes) / 0x1p30);
  return text;
}

}  // namespace

Engine::Engine(const EngineConfig& config) : Engine(makeBackend(config.backend, config.options), config) {}

Engine::Engine(std::unique_ptr<Backend> backend, const EngineConfig& config)
    : config_(config.model), backend_(std::move(backend)), ranks_(*backend_, config.options.devices(), config.ranks) {
  memory_ = countMemory(config);
  checkMemory();
  Parts parts = build(config);
  model_ = std::move(parts.model);
  optimizer_ = std::move(parts.optimizer);
  diagnostics_ = std::move(parts.diagnostics);
  model_->initialize(config.seed);
  for (const Parameter& p : parameters()) gradients_.push_back(p.gradient);
}

void Engine::checkMemory() const {
  if (memory_.needed() > memory_.available)
    throw std::runtime_error("the run does not fit into memory: it needs " + gibibytes(memory_.needed()) + " GiB (weights " +
                             gibibytes(memory_.weights) + ", gradients " + gibibytes(memory_.gradients) + ", optimizer " +
                             gibibytes(memory_.optimizer) + ", activations " + gibibytes(memory_.activations) + "), and " +
                             gibibytes(memory_.available) + " GiB are free on " + backend_->info().description +
                             ". Lower the batch size, the context, the width or the number of layers, or set model.recompute.");
  for (size_t i = 0; i < memory_.others.size(); i++) {
    const RunMemory::Other& other = memory_.others[i];
    if (other.needed <= other.available) continue;
    throw std::runtime_error("the run does not fit into memory: its ranks on device " + std::to_string(other.device) + " need " +
                             gibibytes(other.needed) + " GiB, and " + gibibytes(other.available) + " GiB are free on " +
                             ranks_.at(static_cast<int>(i) + 1, 0).info().description + ". Give the device up, or raise ranks.");
  }
}

Engine::Parts Engine::build(const EngineConfig& config) const {
  Parts parts;
  parts.model = std::make_unique<Model>(*backend_, config.model, config.batch);
  parts.optimizer = makeOptimizer(ranks_, parts.model->parameters(), config.preset, config.matrixKnobs, config.auxiliaryKnobs);
  parts.diagnostics = makeDiagnostics(*backend_);
  return parts;
}

RunMemory Engine::countMemory(const EngineConfig& config) {
  RunMemory memory;
  memory.available = backend_->freeBytes();
  const std::vector<int64_t> bytes = ranks_.countBytes([&] {
    const Parts parts = build(config);  // gone again before the count ends, also when it throws
    const ModelMemory model = parts.model->memory();
    memory.weights = model.weights;
    memory.gradients = model.gradients;
    memory.activations = model.activations;
  });
  memory.optimizer = bytes[0] - memory.needed();
  for (size_t place = 1; place < bytes.size(); place++)
    memory.others.push_back({config.options.more[place - 1], bytes[place], ranks_.at(static_cast<int>(place), 0).freeBytes()});
  return memory;
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

double* Engine::results(int64_t losses) {
  const int64_t floats = (losses + static_cast<int64_t>(parameters().size())) * static_cast<int64_t>(sizeof(double) / sizeof(float));
  if (!results_ || results_->size() < floats) results_.emplace(*backend_, floats);
  return results_->doubles();
}

int64_t Engine::accumulateGradients(const std::vector<int32_t>& tokens) {
  const int64_t count = microBatches(tokens);
  double* losses = results(count);
  for (int64_t i = 0; i < count; i++)
    model_->lossAndGradients(tokens.data() + i * model_->tokensPerBatch(), 1.0f / static_cast<float>(count), i > 0, losses + i);
  return count;
}

void Engine::checkOptions(const StepOptions& options) const {
  checkLrScale(options.lrScale);
  if (!(options.clip >= 0))
    throw std::invalid_argument("clip: expected a number of at least 0, received " + std::to_string(options.clip));
  for (const auto& request : options.measure)
    if (std::none_of(parameters().begin(), parameters().end(), [&](const Parameter& p) { return p.name == request.tensor; }))
      throw std::invalid_argument("measure: expected the name of a parameter, received \"" + request.tensor + "\"");
}

StepResult Engine::step(const std::vector<int32_t>& tokens, const StepOptions& options) {
  checkOptions(options);
  diagnostics_->request(options.measure, optimizer_->stepCount() + 1);

  StepResult result;
  backend_->mark(Backend::Mark::modelBegin);
  const int64_t losses = accumulateGradients(tokens);
  double* squares = results(losses) + losses;
  backend_->sumSquares(squares, gradients_);
  backend_->mark(Backend::Mark::modelEnd);

  // While a device still computes the gradients, what follows them can be prepared.
  const bool prepared = settled_ && options.measure.empty() && !options.phases;
  const int64_t stepsBefore = optimizer_->stepCount();
  if (prepared) backend_->prepare([&] { applyGradients(options, losses, result); });

  std::vector<double> known(static_cast<size_t>(losses) + gradients_.size());
  backend_->read(known.data(), results(losses), static_cast<int64_t>(known.size()));
  result.loss = std::accumulate(known.begin(), known.begin() + losses, 0.0) / double(losses);
  if (!std::isfinite(result.loss)) result.nonFinite = "loss";
  double sum = 0;
  for (size_t i = 0; i < gradients_.size(); i++) {
    // Sums of squares of finite fp32 numbers stay finite in the fp64 they are formed in.
    const double square = known[static_cast<size_t>(losses) + i];
    if (!std::isfinite(square) && result.nonFinite.empty()) result.nonFinite = parameters()[i].name;
    sum += square;
  }
  result.gradNorm = std::sqrt(sum);
  result.time.forwardBackward = backend_->between(Backend::Mark::modelBegin, Backend::Mark::modelEnd);
  if (launched_) optimizerSeconds_ = backend_->between(Backend::Mark::optimizerBegin, Backend::Mark::optimizerEnd);
  if (!result.nonFinite.empty()) {
    launched_ = false;
    result.measurements = diagnostics_->take(false);
    result.pending = diagnostics_->pending();
    optimizer_->setStepCount(stepsBefore);
    return result;
  }

  backend_->mark(Backend::Mark::optimizerBegin);
  prepared ? backend_->launch() : applyGradients(options, losses, result);
  backend_->mark(Backend::Mark::optimizerEnd);
  model_->weightsChanged();
  settled_ = true;
  result.measurements = diagnostics_->take(false);
  result.pending = diagnostics_->pending();
  result.time.diagnostics = diagnostics_->seconds();
  launched_ = prepared && !backend_->timesPreparedWork();
  if (!launched_)
    optimizerSeconds_ = backend_->between(Backend::Mark::optimizerBegin, Backend::Mark::optimizerEnd) - result.time.diagnostics;
  result.time.optimizer = optimizerSeconds_;
  result.applied = true;
  return result;
}

void Engine::applyGradients(const StepOptions& options, int64_t losses, StepResult& result) {
  if (options.clip > 0)
    backend_->clip(gradients_, results(losses) + losses, static_cast<int64_t>(gradients_.size()), options.clip);
  OptimizerReport report = optimizer_->step(options.lrScale, options.measure.empty() ? nullptr : diagnostics_.get(), options.phases);
  if (options.phases) result.phases = std::move(report.phases);
}

double Engine::evaluate(const std::vector<int32_t>& tokens) {
  const int64_t count = microBatches(tokens);
  double* losses = results(count);
  for (int64_t i = 0; i < count; i++) model_->loss(tokens.data() + i * model_->tokensPerBatch(), losses + i);
  return meanLoss(count);
}

double Engine::meanLoss(int64_t count) {
  std::vector<double> losses(static_cast<size_t>(count));
  backend_->read(losses.data(), results(count), count);
  return std::accumulate(losses.begin(), losses.end(), 0.0) / double(count);
}

Gradients Engine::gradients(const std::vector<int32_t>& tokens) {
  Gradients result{meanLoss(accumulateGradients(tokens)), {}};
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
  model_->weightsChanged();
}

}  // namespace muonscope
