// The engine: steps, the guard against what is not finite, evaluation, checkpoints.
#include <algorithm>
#include <limits>

#include "core/backends.h"
#include "core/engine.h"
#include "test/backends.h"
#include "test/numeric.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

EngineConfig smallConfig(const std::string& preset = "normuon") {
  return {"cpu", {2}, 3, {17, 2, 16, 2, 9, true, false}, 2, preset, {}, {}, 1};
}

// Sequences that repeat with a period: something that can be learned.
std::vector<int32_t> someTokens(int64_t microBatches, int32_t salt = 0) {
  std::vector<int32_t> tokens(microBatches * 2 * 10);
  for (size_t i = 0; i < tokens.size(); i++) tokens[i] = static_cast<int32_t>((i % 5 * 3 + salt) % 17);
  return tokens;
}

std::map<std::string, std::vector<float>> contents(const Engine& engine) {
  std::map<std::string, std::vector<float>> all;
  for (const auto& tensor : engine.save().tensors) all[tensor.name] = tensor.data;
  return all;
}

}  // namespace

TEST_ON_BACKENDS("engine: every preset learns") {
  for (const std::string preset : {"adamw", "muon", "muon-original", "normuon", "normuon-reference", "normuon-speedrun"}) {
    Engine engine(make(), smallConfig(preset));
    const double before = engine.evaluate(someTokens(2));
    CHECK_LE(std::abs(before - std::log(17.0)), 1e-5);
    for (int i = 0; i < 60; i++) CHECK(engine.step(someTokens(1), {}).applied);
    CHECK_LE(engine.evaluate(someTokens(2)), 0.9 * before);
  }
}

TEST_ON_BACKENDS("engine: a step reports loss, norm, times and phases; micro-batches average") {
  EngineConfig config = smallConfig();
  config.model.zeroProjections = false;
  Engine engine(make(), config);
  const auto two = someTokens(2);
  const double loss = engine.evaluate(two);
  const auto gradients = engine.gradients(two);
  CHECK_EQ(gradients.loss, loss);
  double squares = 0;
  for (const auto& tensor : gradients.tensors)
    for (const float x : tensor.data) squares += double(x) * x;
  const auto result = engine.step(two, {});
  CHECK_EQ(result.loss, loss);
  CHECK_LE(std::abs(result.gradNorm - std::sqrt(squares)), 1e-6 * result.gradNorm);
  CHECK(result.applied && result.nonFinite.empty() && !result.phases.empty());
  CHECK(result.time.forwardBackward > 0 && result.time.optimizer > 0);
  CHECK_EQ(result.time.diagnostics, 0.0);
}

TEST_ON_BACKENDS("engine: clipping scales the gradient that the optimizer sees") {
  EngineConfig config = smallConfig();
  config.model.zeroProjections = false;
  const std::vector<MeasureRequest> measure = {{"spectrum", "gradient", "blocks.0.mlp.up"}};
  const auto step = [&](double clip) { return Engine(make(), config).step(someTokens(1), {.clip = clip, .measure = measure}); };
  const StepResult free = step(0), loose = step(1e6), clipped = step(0.01);
  CHECK_LE(0.02, free.gradNorm);
  CHECK_EQ(clipped.gradNorm, free.gradNorm);  // reported as it was before clipping
  const auto &expected = free.measurements.at(0).values, &values = clipped.measurements.at(0).values;
  CHECK(loose.measurements.at(0).values == expected);
  CHECK_LE(std::abs(values.front() / expected.front() - 0.01 / (free.gradNorm + 1e-6)), 1e-6 * values.front() / expected.front());
}

TEST_ON_BACKENDS("engine: evaluation and gradients change nothing") {
  Engine engine(make(), smallConfig());
  engine.step(someTokens(1), {});
  const auto before = contents(engine);
  engine.evaluate(someTokens(2));
  engine.gradients(someTokens(2));
  CHECK(contents(engine) == before);
}

TEST_ON_BACKENDS("engine: what is not finite is named, and nothing is applied") {
  for (const std::string victim : {"weight.embed", "weight.blocks.1.mlp.up"}) {
    EngineConfig config = smallConfig();
    config.model.zeroProjections = false;
    Engine engine(make(), config);
    engine.step(someTokens(1), {});
    Checkpoint bad = engine.save();
    for (auto& tensor : bad.tensors)
      if (tensor.name == victim) std::fill(tensor.data.begin(), tensor.data.end(), std::numeric_limits<float>::quiet_NaN());
    engine.load(bad);
    const auto result = engine.step(someTokens(1), {});
    CHECK(!result.applied);
    CHECK_EQ(result.nonFinite, std::string("loss"));
    CHECK(std::isnan(result.loss));
    const Checkpoint after = engine.save();
    CHECK_EQ(after.step, bad.step);
    for (size_t i = 0; i < bad.tensors.size(); i++)
      CHECK(std::equal(bad.tensors[i].data.begin(), bad.tensors[i].data.end(), after.tensors[i].data.begin(),
                       [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
  }
}

TEST_ON_BACKENDS("engine: a finite loss with an infinite gradient names the parameter") {
  EngineConfig config = smallConfig();
  config.model.zeroProjections = false;
  Engine engine(make(), config);
  // The stream's size cancels in the next normalisation, so the loss stays finite; its gradient, size over size
  // squared, does not survive fp32's range.
  Checkpoint extreme = engine.save();
  for (auto& tensor : extreme.tensors)
    if (tensor.name == "weight.head")
      for (float& x : tensor.data) x *= 1e-30f;
    else if (tensor.name == "weight.blocks.1.mlp.down")
      for (float& x : tensor.data) x = 0;
    else if (tensor.name == "weight.blocks.1.mlp.up")
      for (float& x : tensor.data) x *= 3e19f;
  engine.load(extreme);
  const auto before = contents(engine);
  const auto result = engine.step(someTokens(1), {});
  CHECK(!result.applied);
  CHECK(!result.nonFinite.empty());
  CHECK(contents(engine) == before);
}

TEST_ON_BACKENDS("engine: a checkpoint restores the run bit by bit") {
  for (const std::string preset : {"normuon", "adamw"}) {
    Engine straight(make(), smallConfig(preset));
    for (int i = 0; i < 3; i++) straight.step(someTokens(1, i), {});
    const Checkpoint checkpoint = straight.save();
    CHECK_EQ(checkpoint.step, 3);
    EngineConfig other = smallConfig(preset);
    other.seed = 99;
    Engine resumed(make(), other);
    resumed.load(checkpoint);
    for (int i = 3; i < 6; i++) CHECK_EQ(resumed.step(someTokens(1, i), {}).loss, straight.step(someTokens(1, i), {}).loss);
    CHECK(contents(resumed) == contents(straight));
  }
}

TEST_ON_BACKENDS("engine: a checkpoint that does not fit is refused and changes nothing") {
  Engine engine(make(), smallConfig());
  engine.step(someTokens(1), {});
  const auto before = contents(engine);
  const Checkpoint good = engine.save();
  const auto refused = [&](const char* part, const auto& damage) {
    Checkpoint bad = good;
    for (auto& tensor : bad.tensors)
      for (float& x : tensor.data) x += 1;
    damage(bad);
    CHECK_THROWS(engine.load(bad), part);
    CHECK(contents(engine) == before);
  };
  refused("is missing", [](Checkpoint& c) { c.tensors.pop_back(); });
  refused("is there twice", [](Checkpoint& c) { c.tensors.push_back(c.tensors[0]); });
  refused("belongs to no tensor", [](Checkpoint& c) { c.tensors[2].name = "weight.blocks.7.mlp.up"; });
  refused("expected weight.embed of shape [17, 16]", [](Checkpoint& c) { c.tensors[0].shape = {16, 17}; });
  refused("with 5 values", [](Checkpoint& c) { c.tensors[0].data.resize(5); });
  refused("step of at least 0", [](Checkpoint& c) { c.step = -1; });
}

TEST_ON_BACKENDS("engine: bad tokens and options are refused before anything changes") {
  Engine engine(make(), smallConfig());
  const auto before = contents(engine);
  auto tokens = someTokens(1);
  CHECK_THROWS(engine.step({}, {}), "expected a multiple of batch · (context + 1) = 20");
  CHECK_THROWS(engine.evaluate(std::vector<int32_t>(19)), "received 19");
  CHECK_THROWS(engine.step(tokens, {.lrScale = -1}), "lrScale");
  CHECK_THROWS(engine.step(tokens, {.clip = std::nan("")}), "clip");
  CHECK_THROWS(engine.step(tokens, {.measure = {{"condition_number", "update", "blocks.9.mlp.up"}}}), "blocks.9.mlp.up");
  CHECK_THROWS(engine.step(tokens, {.measure = {{"condition_numbre", "update", "head"}}}), "condition_number");
  tokens[11] = 17;
  CHECK_THROWS(engine.step(tokens, {}), "expected ids from 0 to 16, received 17 at position 11");
  tokens[11] = -1;
  CHECK_THROWS(engine.gradients(tokens), "received -1");
  CHECK(contents(engine) == before);
}

TEST_ON_BACKENDS("engine: a model that does not fit is refused with its size") {
  EngineConfig config = smallConfig();
  config.model.width = 1 << 16;
  config.model.layers = 1 << 12;
  CHECK_THROWS(Engine(make(), config), "the run does not fit into memory: it needs ");
  CHECK_THROWS(Engine(make(), config), "GiB are free on ");
}

TEST_ON_BACKENDS("engine: sizes beyond every machine are refused before anything of them is taken") {
  EngineConfig config = smallConfig();
  config.batch = 1 << 11;
  config.model.context = (1 << 20) - 1;
  CHECK_THROWS(Engine(make(), config), "the run does not fit into memory: it needs ");
  config.model.width = 1 << 17;
  config.model.layers = 1 << 12;
  CHECK_THROWS(Engine(make(), config), "take more than 2^60 bytes");
  config = smallConfig();
  config.model.layers = 1 << 12;
  config.ranks = 1 << 16;
  CHECK_THROWS(Engine(make(), config), "ranks: expected at most 63 for 16386 parameters, got 65536.");
}

// The optimizer refuses them when the model is there already: while memory is counted, from names that are no memory.
TEST_ON_BACKENDS("engine: a setting of the optimizer that cannot be is an error") {
  const auto refused = [&](const char* part, const auto& damage) {
    EngineConfig config = smallConfig();
    damage(config);
    CHECK_THROWS(Engine(make(), config), part);
  };
  refused("did you mean \"normuon\"?", [](EngineConfig& c) { c.preset = "normoun"; });
  refused("Unknown optimizer \"\"", [](EngineConfig& c) { c.preset = ""; });
  refused("Unknown knob \"lernrate\"", [](EngineConfig& c) { c.matrixKnobs = {{"lernrate", 0.1}}; });
  refused("lr: expected a number of at least 0, got nan.", [](EngineConfig& c) { c.matrixKnobs = {{"lr", std::nan("")}}; });
  refused("nesterov: expected true or false", [](EngineConfig& c) { c.matrixKnobs = {{"nesterov", 1.0}}; });
  refused("no statistic is kept", [](EngineConfig& c) { c.matrixKnobs = {{"normalization", "none"}}; });
  refused("Unknown knob \"nesterov\"", [](EngineConfig& c) { c.auxiliaryKnobs = {{"nesterov", true}}; });
  refused("beta2: expected a number from 0", [](EngineConfig& c) { c.auxiliaryKnobs = {{"beta2", -INFINITY}}; });
  refused("ranks: expected at least 1", [](EngineConfig& c) { c.ranks = 0; });
}

TEST_ON_BACKENDS("engine: memory is counted before it is taken, by purpose") {
  const auto backend = make();
  const int64_t bytes = backend->info().computeBytes;
  Engine engine(make(), smallConfig());
  int64_t numbers = 0, multiplied = 0;
  for (const auto& p : engine.parameters()) {
    numbers += p.weight.size();
    if (p.name != "embed" && bytes != 4) multiplied += p.weight.size();
  }
  const RunMemory& memory = engine.memory();
  CHECK(memory.weights >= 4 * numbers + bytes * multiplied);
  CHECK(memory.weights <= 1.2 * double(4 * numbers + bytes * multiplied) + 4096);
  CHECK(memory.gradients >= 4 * numbers);
  CHECK(memory.optimizer >= 4 * numbers);  // a momentum each
  CHECK(memory.activations > 0);
  CHECK(memory.available > memory.needed());
}

TEST_ON_BACKENDS("engine: prepared steps are the same as direct ones, and time what they can") {
  EngineConfig config = smallConfig();
  config.model.zeroProjections = false;
  Engine direct(make(), config), prepared(make(), config);
  for (int i = 0; i < 5; i++) {
    const auto a = direct.step(someTokens(2, i), {.lrScale = 1.0 / (i + 1), .clip = 0.5, .phases = true});
    const auto b = prepared.step(someTokens(2, i), {.lrScale = 1.0 / (i + 1), .clip = 0.5, .phases = false});
    CHECK_EQ(a.loss, b.loss);
    CHECK_EQ(a.gradNorm, b.gradNorm);
    CHECK(!a.phases.empty());
    CHECK(b.phases.empty());
    CHECK(b.time.optimizer > 0);
    if (i == 2) {  // a knob that changes takes effect at the next step in both
      direct.set(Group::matrix, {{"normalize", false}}, "*");
      prepared.set(Group::matrix, {{"normalize", false}}, "*");
    }
  }
  CHECK(contents(direct) == contents(prepared));
}

TEST("engine: backends by name") {
  CHECK_EQ(makeBackend("cpu", {1})->info().id, std::string("cpu"));
  CHECK_EQ(makeBackend("cpu", {3})->info().threads, 3);
  CHECK_THROWS(makeBackend("cuda", {}), "backend \"cuda\" is not available: ");
  CHECK_THROWS(makeBackend("cpu", {.precision = "bf16"}), "expected \"fp32\" or \"auto\" on the CPU, received \"bf16\"");
  CHECK_THROWS(makeBackend("tpu", {}), "expected \"auto\", \"cpu\" or \"cuda\", received \"tpu\"");
  CHECK_THROWS(makeBackend("cpu", {-1}), "threads");
}
