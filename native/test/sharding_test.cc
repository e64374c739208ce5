// The sharded step: the number of ranks changes where the work is done and what moves, not the result.
#include "core/shard.h"

#include "core/optimizer.h"
#include "test/backends.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

// Uneven rows, fewer rows than ranks, several of a shape, and matrices for AdamW.
const std::vector<Shape> shapes = {{"a", 18, 40}, {"b", 40, 18}, {"c", 18, 40}, {"d", 3, 20},
                                   {"e", 1, 30},  {"f", 32, 32}, {"g", 18, 40}, {"embedding", 25, 12, Group::auxiliary}};

void feed(TestOptimizer& optimizer, int step) {
  for (size_t i = 0; i < shapes.size(); ++i)
    optimizer.setGradient(i, unevenMatrix(shapes[i].rows, shapes[i].cols, shapes[i].name + std::to_string(step)));
}

std::vector<std::vector<float>> weights(const TestOptimizer& optimizer) {
  std::vector<std::vector<float>> all;
  for (size_t i = 0; i < shapes.size(); ++i) all.push_back(optimizer.weight(i));
  return all;
}

// Weights, from zero, after some steps.
std::vector<std::vector<float>> run(Backend& backend, const std::string& preset, const KnobValues& knobs, int ranks, int steps = 4) {
  TestOptimizer optimizer(backend, shapes, preset, knobs, ranks);
  for (int step = 0; step < steps; ++step) {
    feed(optimizer, step);
    optimizer->step(1, nullptr, true);
  }
  return weights(optimizer);
}

double worstDifference(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, relativeError(a[i], b[i]));
  return worst;
}

TEST("sharding: rows are split as FSDP2 does, the last ranks short or empty") {
  const auto split = [](int64_t rows, int ranks) {
    std::vector<int64_t> counts;
    for (int rank = 0; rank < ranks; ++rank) counts.push_back(rowsOfRank(rows, rank, ranks).count);
    return counts;
  };
  CHECK(split(18, 4) == (std::vector<int64_t>{5, 5, 5, 3}));
  CHECK(split(18, 8) == (std::vector<int64_t>{3, 3, 3, 3, 3, 3, 0, 0}));
  CHECK(split(1, 3) == (std::vector<int64_t>{1, 0, 0}));
}

TEST("sharding: matrices are dealt by size, ties by name") {
  const Ownership ownership = assignOwners({"b", "a", "big", "c"}, {10, 10, 20, 10}, 2);
  CHECK(ownership.order == (std::vector<size_t>{2, 1, 0, 3}));
  CHECK(ownership.owner == (std::vector<int>{0, 1, 0, 1}));
}

TEST_ON_BACKENDS("sharding: any number of ranks gives the same weights under the global norm") {
  const auto backend = make();
  const KnobValues longer = {{"axis", "longer"}}, coordinate = {{"normalization", "coordinate"}}, before = {{"normalizePlace", "before"}};
  const std::vector<std::pair<std::string, KnobValues>> recipes = {
      {"adamw", {}},           {"muon", {}},           {"muon-original", {}}, {"normuon", {}},        {"normuon-reference", {}},
      {"normuon-speedrun", {}}, {"normuon", coordinate}, {"normuon", before},   {"normuon", longer}, {"normuon", {{"orthogonalize", false}}}};
  // The CPU multiplies a matrix the same way whatever others are in its batch. A device's library may not (seen with cuBLASLt), and
  // other ranks make other batches: sums in another order, so a rounding of 6e-8, which five steps of Newton–Schulz make up to
  // 3.4^5 = 470 times as large where singular values are small: 3e-5 of those, a third of that is allowed of the whole.
  const double tolerance = backend->info().id == "cpu" ? 1e-6 : 1e-5;
  for (const auto& [preset, knobs] : recipes) {
    const auto one = run(*backend, preset, knobs, 1);
    for (const int ranks : {2, 3, 4, 8, 50}) CHECK_LE(worstDifference(run(*backend, preset, knobs, ranks), one), tolerance);
  }
}

TEST_ON_BACKENDS("sharding: with local norms and paper scale the first step is the same for every number of ranks, later ones are not") {
  const auto backend = make();
  const KnobValues local = {{"normScope", "local"}};
  for (const int ranks : {2, 3, 8, 50}) {
    CHECK_LE(worstDifference(run(*backend, "normuon", local, ranks, 1), run(*backend, "normuon", {}, 1, 1)), 1e-5);
    CHECK_LE(1e-3, worstDifference(run(*backend, "normuon", local, ranks, 3), run(*backend, "normuon", {}, 1, 3)));
  }
}

TEST_ON_BACKENDS("sharding: with local norms and one row a rank, preserve is plain Muon and paper makes all rows equal") {
  const auto backend = make();
  const KnobValues local = {{"normScope", "local"}, {"scale", "preserve"}};
  CHECK_LE(worstDifference(run(*backend, "normuon", local, 50), run(*backend, "muon", {{"scale", "preserve"}, {"lr", 0.01}}, 1)), 1e-5);
  TestOptimizer optimizer(*backend, shapes, "normuon", {{"normScope", "local"}}, 50);
  for (int step = 0; step < 3; ++step) {
    Recorder recorder(*backend);
    feed(optimizer, step);
    optimizer->step(1, &recorder, true);
    for (const double length : rowNorms(recorder.shown["update.a"], 18)) CHECK_LE(std::abs(length / (0.2 * 0.01 * std::sqrt(40.0)) - 1), 1e-5);
  }
}

TEST_ON_BACKENDS("sharding: saved state continues the same trajectory, on any number of ranks") {
  const auto backend = make();
  for (const std::string preset : {"adamw", "normuon", "normuon-speedrun"}) {
    TestOptimizer straight(*backend, shapes, preset, {}, 2);
    for (int step = 0; step < 3; ++step) feed(straight, step), straight->step(1, nullptr, true);
    std::vector<std::unique_ptr<TestOptimizer>> resumed;
    for (const int ranks : {2, 5}) {
      resumed.push_back(std::make_unique<TestOptimizer>(*backend, shapes, preset, KnobValues{}, ranks));
      TestOptimizer& copy = *resumed.back();
      for (size_t i = 0; i < shapes.size(); ++i) copy.setWeight(i, straight.weight(i));
      for (const StateTensor& tensor : straight->state()) {
        const std::vector<float> values = straight->readState(tensor.name);
        int64_t size = 1;
        for (const int64_t side : tensor.shape) size *= side;
        CHECK_EQ(static_cast<int64_t>(values.size()), size);
        copy->writeState(tensor.name, values);
        CHECK(copy->readState(tensor.name) == values);
      }
      copy->setStepCount(straight->stepCount());
    }
    for (int step = 3; step < 6; ++step) {
      feed(straight, step), straight->step(1, nullptr, true);
      for (auto& copy : resumed) feed(*copy, step), (*copy)->step(1, nullptr, true);
    }
    CHECK(weights(*resumed[0]) == weights(straight));
    CHECK_LE(worstDifference(weights(*resumed[1]), weights(straight)), 1e-6);
  }
}

TEST_ON_BACKENDS("sharding: the bytes counted are those of the algorithm, and one rank moves none") {
  const auto backend = make();
  const auto bytes = [&](const std::string& preset, int ranks, const std::string& phase) {
    TestOptimizer optimizer(*backend, {{"w", 18, 40}, {"x", 18, 40}}, preset, {}, ranks);
    double total = 0;
    for (const PhaseCost& cost : optimizer->step(1, nullptr, true).phases)
      if (cost.phase == phase) total += cost.bytes;
    return total;
  };
  for (const char* phase : {"reduce_scatter", "gather", "scatter", "normalize", "momentum", "orthogonalize", "apply"})
    CHECK_EQ(bytes("normuon-speedrun", 1, phase), 0.0);
  const double matrix = 18 * 40 * sizeof(float);
  CHECK_EQ(bytes("normuon", 4, "reduce_scatter"), 2 * matrix);
  // Ranks 0 and 1 own a matrix each and hold 5 of its 18 rows.
  CHECK_EQ(bytes("normuon", 4, "gather"), 2 * matrix * 13 / 18);
  CHECK_EQ(bytes("normuon", 4, "scatter"), 2 * matrix * 13 / 18);
  // All-reduced by each of 4 ranks: an fp64 sum a matrix; with preserve two, and the sums of 40 columns.
  CHECK_EQ(bytes("normuon", 4, "normalize"), 4 * 2 * 8.0);
  CHECK_EQ(bytes("normuon-speedrun", 4, "normalize"), 4 * 2 * (16.0 + 40 * sizeof(float)));
  CHECK_EQ(bytes("adamw", 4, "reduce_scatter"), 2 * matrix);
  CHECK_EQ(bytes("adamw", 4, "gather"), 0.0);
}

}  // namespace
}  // namespace muonscope::test
