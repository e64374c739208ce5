// Properties that Muon and NorMuon must have whatever the data.
#include "core/optimizer.h"

#include <algorithm>

#include "core/newton_schulz.h"
#include "test/backends.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

const std::vector<std::pair<int64_t, int64_t>> shapes = {{16, 56}, {56, 16}, {32, 32}, {1, 64}, {64, 1}, {18, 40}};

// The update of the step-th step from weights of zero, without decay: minus what the weights changed by.
std::vector<float> updateOf(TestOptimizer& optimizer, const std::vector<float>& gradient) {
  const std::vector<float> before = optimizer.weight(0);
  optimizer.setGradient(0, gradient);
  optimizer->step(1, nullptr, true);
  std::vector<float> update = optimizer.weight(0);
  for (size_t i = 0; i < update.size(); ++i) update[i] = before[i] - update[i];
  return update;
}

std::vector<float> firstUpdate(const MakeBackend& make, const std::string& preset, KnobValues knobs, int64_t rows, int64_t cols, const std::vector<float>& gradient,
                               int ranks = 1) {
  const auto backend = make();
  TestOptimizer optimizer(*backend, {{"w", rows, cols}}, preset, knobs, ranks);
  return updateOf(optimizer, gradient);
}

double spread(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *high / *low - 1;
}

TEST_ON_BACKENDS("optimizer: the first update has rows of equal norm") {
  for (const auto& [rows, cols] : shapes)
    for (const char* preset : {"normuon", "normuon-reference"}) {
      const std::vector<float> update = firstUpdate(make, preset, {{"eps", 1e-20}}, rows, cols, unevenMatrix(rows, cols, "equal rows"));
      CHECK_LE(spread(rowNorms(update, rows)), 1e-5);
    }
}

TEST_ON_BACKENDS("optimizer: with paper scale the update's RMS is 0.2 times the learning rate, for every shape and step") {
  const auto backend = make();
  for (const auto& [rows, cols] : shapes)
    for (const char* preset : {"normuon", "muon"}) {
      TestOptimizer optimizer(*backend, {{"w", rows, cols}}, preset, {{"lr", 0.05}, {"weightDecay", 0.0}});
      for (int step = 0; step < 4; ++step) {
        const std::vector<float> update = updateOf(optimizer, unevenMatrix(rows, cols, "rms" + std::to_string(step)));
        CHECK_LE(std::abs(norm(update) / std::sqrt(double(rows * cols)) / (0.2 * 0.05) - 1), 1e-5);
      }
    }
}

TEST_ON_BACKENDS("optimizer: the scale of the gradient does not matter") {
  const std::vector<float> gradient = unevenMatrix(18, 40, "scale");
  for (const char* preset : {"normuon", "normuon-reference", "normuon-speedrun", "muon", "muon-original"}) {
    const std::vector<float> expected = firstUpdate(make, preset, {}, 18, 40, gradient);
    for (const double scale : {1e-9, 1e-3, 1e3, 1e9}) {
      std::vector<float> scaled;
      for (const float value : gradient) scaled.push_back(static_cast<float>(value * scale));
      CHECK_LE(relativeError(firstUpdate(make, preset, {}, 18, 40, scaled), expected), 2e-5);
    }
  }
}

TEST_ON_BACKENDS("optimizer: a gradient of zero leaves only decay") {
  const auto backend = make();
  for (const OptimizerDescription& preset : describe().optimizers) {
    TestOptimizer optimizer(*backend, {{"w", 8, 12}}, preset.id, {{"lr", 0.02}, {"weightDecay", 0.1}}, 3);
    optimizer.setWeight(0, std::vector<float>(96, 2));
    for (int step = 0; step < 3; ++step) optimizer->step(1, nullptr, true);
    for (const float value : optimizer.weight(0)) CHECK_LE(std::abs(value - 2 * std::pow(1 - 0.02 * 0.1, 3)), 1e-6);
  }
}

TEST_ON_BACKENDS("optimizer: a single row and a matrix of rank 1 get finite updates of the right sign") {
  for (const OptimizerDescription& preset : describe().optimizers) {
    const std::vector<float> row = randomFloats(64, "row");
    const std::vector<float> a = randomFloats(24, "rank 1 left"), b = randomFloats(40, "rank 1 right");
    std::vector<float> rankOne;
    for (const float x : a)
      for (const float y : b) rankOne.push_back(x * y);
    for (const auto& [rows, gradient] : std::vector<std::pair<int64_t, std::vector<float>>>{{1, row}, {24, rankOne}}) {
      const std::vector<float> update = firstUpdate(make, preset.id, {}, rows, static_cast<int64_t>(gradient.size()) / rows, gradient);
      CHECK(allFinite(update));
      double along = 0;
      for (size_t i = 0; i < update.size(); ++i) along += double(update[i]) * gradient[i];
      CHECK_LE(0.5, along / (norm(update) * norm(gradient)));
    }
  }
}

TEST_ON_BACKENDS("optimizer: decay does not depend on the update's scale") {
  const auto backend = make();
  for (const char* preset : {"normuon", "normuon-reference", "muon-original"}) {
    const std::vector<float> start = randomFloats(18 * 40, "decay.start"), gradient = unevenMatrix(18, 40, "decay");
    std::vector<std::vector<float>> ends;
    for (const double decay : {0.0, 0.5}) {
      TestOptimizer optimizer(*backend, {{"w", 18, 40}}, preset, {{"lr", 0.1}, {"weightDecay", decay}});
      optimizer.setWeight(0, start);
      optimizer.setGradient(0, gradient);
      optimizer->step(0.5, nullptr, true);
      ends.push_back(optimizer.weight(0));
    }
    for (size_t i = 0; i < start.size(); ++i) CHECK_LE(std::abs(ends[0][i] - ends[1][i] - 0.1 * 0.5 * 0.5 * start[i]), 1e-6);
  }
}

TEST_ON_BACKENDS("optimizer: momentum as an average and as a heavy ball are the same after orthogonalisation") {
  const auto backend = make();
  const int64_t rows = 18, cols = 40, size = rows * cols;
  TestOptimizer optimizer(*backend, {{"w", rows, cols}}, "muon", {});
  std::vector<double> heavyBall(static_cast<size_t>(size));
  for (int step = 0; step < 3; ++step) {
    const std::vector<float> gradient = unevenMatrix(rows, cols, "ball" + std::to_string(step));
    std::vector<float> direction;
    for (size_t i = 0; i < heavyBall.size(); ++i) {
      heavyBall[i] = 0.95 * heavyBall[i] + gradient[i];
      direction.push_back(static_cast<float>(heavyBall[i]));
    }
    DeviceBuffer expected(*backend, size);
    backend->upload(expected.data(), direction.data(), size);
    NewtonSchulz(*backend).orthogonalize({expected.data(), 1, rows, cols, size}, newtonSchulzSchemes()[0]);
    Recorder recorder(*backend);
    optimizer.setGradient(0, gradient);
    optimizer->step(1, &recorder, true);
    CHECK_LE(relativeError(recorder.shown["orthogonalized.w"], expected.download()), 2e-5);
  }
}

TEST_ON_BACKENDS("optimizer: every choice of every knob steps to finite weights") {
  const auto backend = make();
  const std::vector<Shape> both = {{"wide", 12, 40}, {"tall", 40, 12}, {"embedding", 30, 12, Group::auxiliary}};
  for (const OptimizerDescription& preset : describe().optimizers)
    for (const Knob& knob : describe().knobs) {
      if (!preset.defaults.contains(knob.id)) continue;
      std::vector<KnobValue> choices(knob.choices.begin(), knob.choices.end());
      if (knob.type == "boolean") choices = {true, false};
      for (const KnobValue& choice : choices) {
        KnobValues knobs = {{knob.id, choice}};
        if (choice == KnobValue(std::string("none"))) knobs["normalize"] = false;
        TestOptimizer optimizer(*backend, both, preset.id, knobs, 2);
        for (int step = 0; step < 3; ++step) {
          for (size_t i = 0; i < both.size(); ++i)
            optimizer.setGradient(i, unevenMatrix(both[i].rows, both[i].cols, both[i].name + std::to_string(step)));
          optimizer->step(1, nullptr, true);
        }
        for (size_t i = 0; i < both.size(); ++i) {
          CHECK(allFinite(optimizer.weight(i)));
          CHECK_LE(1e-6, norm(optimizer.weight(i)));
        }
      }
    }
}

TEST_ON_BACKENDS("optimizer: the statistic is kept up to date while normalisation is off") {
  const auto backend = make();
  for (const KnobValues& knobs : std::vector<KnobValues>{{}, {{"axis", "longer"}}, {{"normalization", "coordinate"}}, {{"normalizePlace", "before"}}}) {
    TestOptimizer steady(*backend, {{"w", 12, 40}}, "normuon", knobs), toggled(*backend, {{"w", 12, 40}}, "normuon", knobs);
    for (int step = 0; step < 4; ++step) {
      toggled->set(Group::matrix, {{"normalize", step % 2 == 0}}, "*");
      for (TestOptimizer* optimizer : {&steady, &toggled}) {
        optimizer->setGradient(0, unevenMatrix(12, 40, "toggle" + std::to_string(step)));
        (*optimizer)->step(1, nullptr, true);
      }
    }
    CHECK(steady->readState("second_moment.w") == toggled->readState("second_moment.w"));
    CHECK(steady.weight(0) != toggled.weight(0));
  }
}

TEST_ON_BACKENDS("optimizer: taps show what happened, on one rank and on three") {
  for (const int ranks : {1, 3}) {
    const auto backend = make();
    const int64_t rows = 10, cols = 24;
    TestOptimizer optimizer(*backend, {{"w", rows, cols}}, "normuon-reference", {{"lr", 0.1}, {"weightDecay", 0.2}}, ranks);
    const std::vector<float> start = randomFloats(rows * cols, "tap.start"), gradient = unevenMatrix(rows, cols, "tap");
    optimizer.setWeight(0, start);
    optimizer.setGradient(0, gradient);
    Recorder recorder(*backend);
    optimizer->step(1, &recorder, true);
    auto& shown = recorder.shown;
    CHECK(shown["gradient.w"] == gradient);
    CHECK(shown["momentum.w"] == optimizer->readState("momentum.w"));
    CHECK(shown["weight.w"] == optimizer.weight(0));
    for (size_t i = 0; i < start.size(); ++i) CHECK_LE(std::abs(shown["momentum.w"][i] - 0.05 * gradient[i]), 1e-6 * std::abs(gradient[i]));
    for (size_t i = 0; i < start.size(); ++i)
      CHECK_LE(std::abs(start[i] * (1 - 0.1 * 0.2) - shown["update.w"][i] - shown["weight.w"][i]), 1e-6);
    // Ô = O/(√v + ε), and the update keeps O's norm times √max(1, rows/cols) = 1.
    const std::vector<float> moments = optimizer->readState("second_moment.w");
    for (size_t i = 0; i < start.size(); ++i) {
      const double expected = shown["orthogonalized.w"][i] / (std::sqrt(moments[i / static_cast<size_t>(cols)]) + 1e-10);
      CHECK_LE(std::abs(shown["normalized.w"][i] - expected), 1e-5 * std::abs(expected) + 1e-7);
    }
    CHECK_LE(std::abs(norm(shown["update.w"]) / (0.1 * norm(shown["orthogonalized.w"])) - 1), 1e-5);
  }
}

TEST_ON_BACKENDS("optimizer: AdamW is its formula, and its update tap shows it") {
  for (const int ranks : {1, 3}) {
    const auto backend = make();
    const double lr = 0.01, decay = 0.1, beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
    TestOptimizer optimizer(*backend, {{"w", 7, 9}}, "adamw", {{"lr", lr}, {"weightDecay", decay}}, ranks);
    std::vector<double> w = toDouble(randomFloats(63, "adamw.start")), m(63), s(63);
    optimizer.setWeight(0, {w.begin(), w.end()});
    for (int t = 1; t <= 5; ++t) {
      const std::vector<float> gradient = randomFloats(63, "adamw" + std::to_string(t));
      Recorder recorder(*backend);
      optimizer.setGradient(0, gradient);
      optimizer->step(1, &recorder, true);
      std::vector<double> update(63);
      for (size_t i = 0; i < 63; ++i) {
        m[i] = beta1 * m[i] + (1 - beta1) * gradient[i];
        s[i] = beta2 * s[i] + (1 - beta2) * gradient[i] * gradient[i];
        update[i] = lr * (m[i] / (1 - std::pow(beta1, t))) / (std::sqrt(s[i] / (1 - std::pow(beta2, t))) + eps);
        w[i] -= lr * decay * w[i] + update[i];
      }
      CHECK_LE(relativeError(optimizer.weight(0), w), 1e-6);
      CHECK_LE(relativeError(recorder.shown["update.w"], update), 1e-6);
      CHECK_LE(relativeError(recorder.shown["momentum.w"], m), 1e-6);
    }
  }
}

}  // namespace
}  // namespace muonscope::test
