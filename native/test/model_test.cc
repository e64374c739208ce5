// The whole model: loss and every gradient against a double-precision reference, accumulation, initialisation, threads.
#include "test/backends.h"
#include "test/numeric.h"
#include "test/reference_model.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

constexpr ModelConfig kSmall{11, 2, 8, 2, 5, false, false};

std::vector<int32_t> someTokens(const ModelConfig& config, int64_t batch, int64_t salt = 0) {
  std::vector<int32_t> tokens(batch * (config.context + 1));
  for (size_t i = 0; i < tokens.size(); i++)
    tokens[i] = static_cast<int32_t>((i * 7 + i * i * 3 + salt) % config.vocabulary);
  return tokens;
}

std::vector<float> download(Backend& backend, Matrix m) {
  std::vector<float> values(m.size());
  backend.download(values.data(), m.data, m.size());
  return values;
}

// What the model writes into the backend's memory, read.
struct Loss {
  explicit Loss(Backend& b) : backend(b), memory(b, 2) {}
  double read() const {
    double value = 0;
    backend.read(&value, memory.doubles(), 1);
    return value;
  }
  double of(Model& model, const std::vector<int32_t>& tokens) const {
    model.loss(tokens.data(), memory.doubles());
    return read();
  }
  double withGradients(Model& model, const std::vector<int32_t>& tokens, float scale = 1, bool accumulate = false) const {
    model.lossAndGradients(tokens.data(), scale, accumulate, memory.doubles());
    return read();
  }
  Backend& backend;
  DeviceBuffer memory;
};

Model makeModel(Backend& backend, const ModelConfig& config, int64_t batch, uint64_t seed = 1) {
  Model model(backend, config, batch);
  model.initialize(seed);
  return model;
}

double squaresOf(Backend& backend, Matrix m) {
  DeviceBuffer squares(backend, 2);
  backend.sumSquares(squares.doubles(), std::vector<Matrix>{m});
  double value = 0;
  backend.read(&value, squares.doubles(), 1);
  return value;
}

std::vector<float> allGradients(Backend& backend, const Model& model) {
  std::vector<float> values;
  for (const auto& p : model.parameters()) {
    const auto part = download(backend, p.gradient);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

}  // namespace

TEST_ON_BACKENDS("model: loss and every gradient against central differences of a double-precision reference") {
  const auto backend = make();
  Model model = makeModel(*backend, kSmall, 3, 1);
  const auto tokens = someTokens(kSmall, 3);
  std::map<std::string, Values> weights;
  for (const auto& p : model.parameters()) weights[p.name] = toDouble(download(*backend, p.weight));
  const Loss reader(*backend);
  const double loss = reader.withGradients(model, tokens);
  CHECK_LE(std::abs(loss - referenceLoss(kSmall, 3, weights, tokens)), 1e-6);
  CHECK_EQ(reader.of(model, tokens), loss);
  for (const auto& p : model.parameters()) {
    const auto expected = centralDifferences(weights[p.name], [&] { return referenceLoss(kSmall, 3, weights, tokens); });
    CHECK_LE(relativeError(download(*backend, p.gradient), expected), 2e-6);
  }
}

TEST_ON_BACKENDS("model: parameters have the documented names, shapes and groups") {
  const auto backend = make();
  Model model = makeModel(*backend, kSmall, 1, 1);
  const auto& p = model.parameters();
  CHECK_EQ(p.size(), 10u);
  const auto is = [](const Parameter& q, const std::string& name, int64_t rows, int64_t cols, Group group) {
    return q.name == name && q.weight.rows == rows && q.weight.cols == cols && q.gradient.rows == rows &&
           q.gradient.cols == cols && q.group == group;
  };
  CHECK(is(p[0], "embed", 11, 8, Group::auxiliary));
  CHECK(is(p[5], "blocks.1.attn.qkv", 24, 8, Group::matrix));
  CHECK(is(p[6], "blocks.1.attn.out", 8, 8, Group::matrix));
  CHECK(is(p[7], "blocks.1.mlp.up", 32, 8, Group::matrix));
  CHECK(is(p[8], "blocks.1.mlp.down", 8, 32, Group::matrix));
  CHECK(is(p[9], "head", 11, 8, Group::auxiliary));
}

TEST_ON_BACKENDS("model: gradients accumulate over micro-batches") {
  const auto backend = make();
  Model model = makeModel(*backend, kSmall, 2, 1);
  const auto first = someTokens(kSmall, 2), second = someTokens(kSmall, 2, 5);
  const Loss reader(*backend);
  reader.withGradients(model, first);
  const auto a = allGradients(*backend, model);
  reader.withGradients(model, second);
  const auto b = allGradients(*backend, model);
  reader.withGradients(model, first, 0.5f);
  reader.withGradients(model, second, 0.5f, true);
  std::vector<double> mean(a.size());
  for (size_t i = 0; i < a.size(); i++) mean[i] = (double(a[i]) + b[i]) / 2;
  CHECK_LE(relativeError(allGradients(*backend, model), mean), 1e-6);
}

TEST_ON_BACKENDS("model: projections and head start at zero, and the first loss is ln V") {
  const auto backend = make();
  ModelConfig config = kSmall;
  config.zeroProjections = true;
  Model model = makeModel(*backend, config, 1, 1);
  for (const auto& p : model.parameters()) {
    const bool zero = p.name == "head" || p.name.ends_with("attn.out") || p.name.ends_with("mlp.down");
    CHECK_EQ(squaresOf(*backend, p.weight) == 0, zero);
  }
  CHECK_LE(std::abs(Loss(*backend).of(model, someTokens(config, 1)) - std::log(11.0)), 1e-6);
}

TEST("model: weights depend on the seed, not on depth or threads, and have the documented spread") {
  const auto backend = makeCpuBackend({2}), other = makeCpuBackend({1});
  ModelConfig config{64, 2, 64, 2, 8, false, false};
  Model two = makeModel(*backend, config, 1, 1);
  Model again = makeModel(*other, config, 1, 1);
  Model seeded = makeModel(*backend, config, 1, 2);
  config.layers = 1;
  Model one = makeModel(*backend, config, 1, 1);
  const auto weight = [&](const Model& model, size_t i) { return download(*backend, model.parameters()[i].weight); };
  CHECK(weight(two, 1) == weight(again, 1));
  CHECK(weight(two, 1) == weight(one, 1));
  CHECK(weight(two, 1) != weight(seeded, 1));
  CHECK(weight(two, 1) != weight(two, 5));
  const auto spread = [&](size_t i) {
    const auto& w = two.parameters()[i].weight;
    return std::sqrt(squaresOf(*backend, w) / double(w.size()));
  };
  CHECK_LE(std::abs(spread(0) - 1), 0.05);                             // embed: N(0, 1)
  CHECK_LE(std::abs(spread(1) / std::sqrt(0.33 / 64) - 1), 0.05);      // qkv: N(0, 0.33 / fan-in)
  CHECK_LE(std::abs(spread(4) / std::sqrt(0.33 / 256) - 1), 0.05);     // down
}

TEST_ON_BACKENDS("model: two runs on the same threads agree bit by bit") {
  const ModelConfig config{96, 2, 64, 4, 70, false, false};
  std::vector<float> first;
  for (int run = 0; run < 3; run++) {
    const auto backend = make();
    Model model = makeModel(*backend, config, 3, 1);
    Loss(*backend).withGradients(model, someTokens(config, 3));
    const auto gradients = allGradients(*backend, model);
    if (run == 0) first = gradients;
    CHECK(gradients == first);
  }
}

TEST_ON_BACKENDS("model: recomputed activations give the same gradients, bit by bit, and take less memory") {
  const auto backend = make();
  ModelConfig config{17, 3, 16, 2, 9, false, false};
  Model kept = makeModel(*backend, config, 2);
  config.recompute = true;
  Model again = makeModel(*backend, config, 2);
  const Loss reader(*backend);
  CHECK_EQ(reader.withGradients(again, someTokens(config, 2)), reader.withGradients(kept, someTokens(config, 2)));
  CHECK(allGradients(*backend, again) == allGradients(*backend, kept));
  CHECK_EQ(again.memory().weights, kept.memory().weights);
  CHECK(again.memory().activations < kept.memory().activations);
}

TEST("model: impossible shapes are refused with a reason") {
  const auto backend = makeCpuBackend({1});
  const auto refused = [&](ModelConfig config, int64_t batch) { Model(*backend, config, batch); };
  CHECK_THROWS(refused({11, 2, 10, 3, 5, true, false}, 1), "multiple of 2 · heads");
  CHECK_THROWS(refused({11, 2, 6, 2, 5, true, false}, 1), "multiple of 2 · heads");
  CHECK_THROWS(refused({1, 2, 8, 2, 5, true, false}, 1), "vocabulary");
  CHECK_THROWS(refused({11, 0, 8, 2, 5, true, false}, 1), "layers");
  CHECK_THROWS(refused({11, 2, 8, 2, 5, true, false}, 0), "batch");
  CHECK_THROWS(refused({11, 2, 8, 2, 1 << 20, true, false}, 1 << 20), "below 2^31");
}
