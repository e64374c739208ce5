// Ranks on several devices: the same numbers as ranks on one, whatever the order in which streams get their turns. Where a
// real device is tested, it stands for all of them, in streams of its own for each.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "core/engine.h"
#include "test/backends.h"
#include "test/cuda_shim/shim.h"
#include "test/cuda_shim_fixture.h"
#include "test/emulated_cuda.h"
#include "test/emulated_settings.h"
#include "test/optimizer_fixture.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

// Uneven rows, fewer rows than ranks, several of a shape, and matrices for AdamW.
const std::vector<Shape> shapes = {{"a", 18, 40}, {"b", 40, 18}, {"c", 18, 40}, {"d", 3, 20},
                                   {"e", 1, 30},  {"f", 32, 32}, {"g", 18, 40}, {"embedding", 25, 12, Group::auxiliary}};

using Recipe = std::pair<std::string, KnobValues>;
const Recipe normuon = {"normuon", {}};
const std::vector<Recipe> recipes = {{"adamw", {}},
                                     {"muon", {}},
                                     normuon,
                                     {"normuon-reference", {}},
                                     {"normuon-speedrun", {}},
                                     {"normuon", {{"normalization", "coordinate"}}},
                                     {"normuon", {{"normalizePlace", "before"}}},
                                     {"normuon", {{"axis", "longer"}, {"normScope", "local"}}}};

bool isReal() {
  const char* device = std::getenv("MUONSCOPE_TEST_DEVICE");
  return device && std::string(device) == "cuda";
}

// Which devices do their work as late as they may; the others do it as early.
constexpr int allLate = -1, homeLate = 0, otherLate = 1;

// As many devices as are asked for, while it lives. There may be fewer real ones.
class Devices {
 public:
  explicit Devices(int count, int late = allLate) {
    const int real = isReal() ? static_cast<int>(cudaAvailability().devices.size()) : count;
    for (int i = 0; i < count; ++i) all.push_back(i % real);
    cudaShim::settings().devices = count;
    cudaShim::settings().late = true;
    cudaShim::settings().lateDevice = late;
  }
  std::vector<int> all;

 private:
  EmulatedSettings settings_;
};

struct Trajectory {
  std::vector<std::vector<float>> weights, state;
  std::map<std::string, std::vector<float>> shown;
  bool operator==(const Trajectory&) const = default;
};

// Keeps what the optimizer shows without waiting for it.
class PatientRecorder : public TapListener {
 public:
  explicit PatientRecorder(Backend& backend) : backend_(backend) {}
  bool wants(Tap, const std::string&) const override { return true; }
  void show(Tap tap, const std::string& tensor, Matrix matrix) override {
    const auto [place, isNew] = shown_.try_emplace(tapName(tap) + "." + tensor, backend_, matrix.size());
    CHECK(isNew);
    backend_.copy(place->second.data(), matrix.data, matrix.size());
  }
  std::map<std::string, std::vector<float>> read() const {
    std::map<std::string, std::vector<float>> all;
    for (const auto& [name, copy] : shown_) all[name] = copy.download();
    return all;
  }

 private:
  Backend& backend_;
  std::map<std::string, DeviceBuffer> shown_;
};

// Uploads wait for everything when their host memory has to grow: it grows now.
void growHostMemory(Backend& backend) {
  const DeviceBuffer buffer(backend, 4096);
  const std::vector<float> values(4096);
  for (int i = 0; i < 8; ++i) backend.upload(buffer.data(), values.data(), buffer.size());
}

// Three steps that are done directly, the last of which shows everything, and three that are prepared.
Trajectory follow(Backend& backend, const Recipe& recipe, int ranks, const std::vector<int>& devices) {
  growHostMemory(backend);
  TestOptimizer optimizer(backend, shapes, recipe.first, recipe.second, ranks, devices);
  PatientRecorder recorder(backend);
  const auto feed = [&](int step) {
    for (size_t i = 0; i < shapes.size(); ++i)
      optimizer.setGradient(i, unevenMatrix(shapes[i].rows, shapes[i].cols, shapes[i].name + std::to_string(step)));
  };
  for (int step = 0; step < 3; ++step) {
    feed(step);
    optimizer->step(1, step == 2 ? &recorder : nullptr, step == 1);
  }
  for (int step = 3; step < 6; ++step) {
    feed(step);
    backend.prepare([&] { optimizer->step(1, nullptr, false); });
    backend.launch();
  }
  Trajectory result;
  for (const StateTensor& tensor : optimizer->state()) result.state.push_back(optimizer->readState(tensor.name));
  for (size_t i = 0; i < shapes.size(); ++i) result.weights.push_back(optimizer.weight(i));
  result.shown = recorder.read();
  return result;
}

Trajectory followOn(const MakeBackend& make, const Recipe& recipe, int ranks, int count, int late) {
  const Devices devices(count, late);
  const auto backend = make();
  return follow(*backend, recipe, ranks, devices.all);
}

}  // namespace

TEST_ON_DEVICES("ranks: several devices give exactly what one gives") {
  // Which numbers move does not depend on precision or sanitizer: one recipe will do with these.
  const bool all = make()->info().computeBytes == sizeof(float) && !sanitized;
  for (const Recipe& recipe : all ? recipes : std::vector<Recipe>{normuon}) {
    const Trajectory one = followOn(make, recipe, 5, 1, allLate);
    for (const int late : {allLate, homeLate, otherLate}) CHECK(followOn(make, recipe, 5, 2, late) == one);
  }
  CHECK(followOn(make, normuon, 5, 3, allLate) == followOn(make, normuon, 5, 1, allLate));
}

namespace {

void writesState(const MakeBackend& make, int late) {
  const Devices devices(2, late);
  const auto backend = make();
  growHostMemory(*backend);
  TestOptimizer straight(*backend, shapes, "normuon", {}, 3, devices.all), resumed(*backend, shapes, "normuon", {}, 3, devices.all);
  const auto step = [&](TestOptimizer& optimizer, int number) {
    for (size_t i = 0; i < shapes.size(); ++i)
      optimizer.setGradient(i, unevenMatrix(shapes[i].rows, shapes[i].cols, shapes[i].name + std::to_string(number)));
    backend->prepare([&] { optimizer->step(1, nullptr, false); });
    backend->launch();
  };
  straight->step(1, nullptr, false);
  resumed->step(1, nullptr, false);
  for (int number = 0; number < 3; ++number) step(straight, number);
  std::vector<std::vector<float>> weights;
  std::map<std::string, std::vector<float>> state;
  for (size_t i = 0; i < shapes.size(); ++i) weights.push_back(straight.weight(i));
  for (const StateTensor& tensor : straight->state()) state[tensor.name] = straight->readState(tensor.name);
  const auto write = [&] {
    for (const auto& [name, values] : state) resumed->writeState(name, values);
  };
  for (int again = 0; again < 8; ++again) write();  // host memory grows on every device
  for (const auto& [name, values] : state) CHECK(resumed->readState(name) == values);
  step(resumed, 0);  // may still go on when the state is written
  write();
  for (size_t i = 0; i < shapes.size(); ++i) resumed.setWeight(i, weights[i]);
  resumed->setStepCount(straight->stepCount());
  for (int number = 3; number < 5; ++number) step(straight, number), step(resumed, number);
  for (size_t i = 0; i < shapes.size(); ++i) CHECK(resumed.weight(i) == straight.weight(i));
}

}  // namespace

TEST_ON_DEVICES("ranks: state that is written is that of the next step, on every device") {
  for (const int late : {homeLate, otherLate}) writesState(make, late);
}

TEST("ranks: devices work at the same time, and rows move meanwhile") {
  if (isReal()) {
    std::puts("skip  ranks: what waits for what is known of emulated devices only");
    return;
  }
  // Two batches for each of two ranks: so two rounds, in a lane each.
  std::vector<Shape> matrices;
  for (const std::string name : {"a", "b"}) matrices.push_back({name, 32, 48}), matrices.push_back({name + name, 24, 40});
  const auto longestWay = [&](int count) {
    const Devices devices(count);
    const auto backend = makeEmulatedCudaBackend("fp32");
    TestOptimizer optimizer(*backend, matrices, "muon", {}, 2, devices.all);
    optimizer->step(1, nullptr, false);
    backend->prepare([&] { optimizer->step(1, nullptr, false); });
    return static_cast<double>(cudaShim::latestGraph().longest);
  };
  // A quarter, and the copies to another device and back.
  CHECK_LE(longestWay(2) / longestWay(1), 0.35);
}

TEST_ON_DEVICES("ranks: rows of the weights that go to another device and back are counted, the rest as on one") {
  const Devices devices(2);
  const auto backend = make();
  const auto bytes = [&](const std::vector<int>& where) {
    TestOptimizer optimizer(*backend, {{"w", 18, 40}, {"x", 18, 40}}, "normuon", {}, 3, where);
    std::map<std::string, double> total;
    for (const PhaseCost& cost : optimizer->step(1, nullptr, true).phases) total[cost.phase] += cost.bytes;
    return total;
  };
  std::map<std::string, double> one = bytes({devices.all[0]}), two = bytes(devices.all);
  CHECK_EQ(one["apply"], 0.0);
  CHECK_EQ(two["apply"], 2.0 * 2 * 6 * 40 * sizeof(float));  // two matrices, there and back: rank 1 has 6 of their 18 rows
  one.erase("apply"), two.erase("apply");
  CHECK(one == two);
}

namespace {

EngineConfig engineConfig(const std::vector<int>& devices) {
  EngineConfig config{"cuda", {}, 3, {17, 2, 16, 2, 9, true, false}, 2, "normuon", {}, {}, 3};
  config.options.device = devices.front();
  config.options.more.assign(devices.begin() + 1, devices.end());
  return config;
}

std::vector<int32_t> someTokens() {
  std::vector<int32_t> tokens(20);
  for (size_t i = 0; i < tokens.size(); i++) tokens[i] = static_cast<int32_t>(i % 5 * 3);
  return tokens;
}

}  // namespace

TEST_ON_DEVICES("ranks: an engine on several devices trains, saves and resumes as on one") {
  const Devices devices(2);
  Engine one(make(), engineConfig({devices.all[0]})), two(make(), engineConfig(devices.all)), resumed(make(), engineConfig(devices.all));
  for (int i = 0; i < 4; i++) {
    const StepOptions options{.clip = 1, .phases = i == 2};
    CHECK_EQ(one.step(someTokens(), options).loss, two.step(someTokens(), options).loss);
  }
  resumed.load(two.save());
  for (int i = 0; i < 3; i++) {
    const StepOptions options{.clip = 1, .phases = false};
    const double loss = one.step(someTokens(), options).loss;
    CHECK_EQ(two.step(someTokens(), options).loss, loss);
    CHECK_EQ(resumed.step(someTokens(), options).loss, loss);
  }
}

TEST_ON_DEVICES("ranks: the memory of every device is counted before any is taken") {
  const Devices devices(3);
  const Engine one(make(), engineConfig({devices.all[0]})), three(make(), engineConfig(devices.all));
  CHECK_EQ(one.memory().others.size(), 0u);
  CHECK_EQ(three.memory().others.size(), 2u);
  // Momentum and second moment are spread: a third of them is left, which is more than the second lane's working memory takes.
  for (const RunMemory::Other& other : three.memory().others) {
    CHECK_LE(1, other.needed);
    CHECK_LE(other.needed, other.available);
  }
  CHECK_EQ(three.memory().weights, one.memory().weights);
  CHECK_EQ(three.memory().activations, one.memory().activations);
}

TEST("ranks: a run that another device has no memory for is refused with its numbers") {
  if (isReal()) {
    std::puts("skip  ranks: needs a second device, whose memory is taken");
    return;
  }
  const Devices devices(2);
  cudaShim::settings().totalBytes = size_t{320} << 20;
  const auto make = devicesUnderTest().front().make;
  const auto home = make();
  const auto other = home->onDevice(1);
  EngineConfig config = engineConfig(devices.all);
  config.model.width = 512;
  const auto take = [&](int64_t left) { return DeviceBuffer(*other, (other->freeBytes() - left) / static_cast<int64_t>(sizeof(float))); };
  constexpr int64_t workspaces = 2 * int64_t{32} << 20;  // of cuBLASLt on Hopper, for each lane (blas_lt.cu)
  {
    const DeviceBuffer taken = take(workspaces + (1 << 20));
    CHECK_THROWS(Engine(make(), config), "the run does not fit into memory: its ranks on device 1 need 0.0");
  }
  const DeviceBuffer taken = take(workspaces / 2);
  CHECK_THROWS(Engine(make(), config), "device 1 has no memory for ranks: 0.0 GiB wanted, 0.0 GiB free.");
}

TEST_ON_DEVICES("ranks: devices without a rank are refused, and those that are not there") {
  const Devices devices(2);
  const auto backend = make();
  CHECK_THROWS(Ranks(*backend, devices.all, 1), "device: expected from 1 to as many devices as there are ranks, 1, received 2.");
  CHECK_THROWS(Ranks(*backend, {0, 7}, 2), "device: expected the index of a GPU that can be used, received 7");
}

TEST("ranks: the CPU is one device") {
  const auto backend = makeCpuBackend({2});
  CHECK_THROWS(Ranks(*backend, {0, 1}, 2), "device: expected one on the CPU, received several.");
}

}  // namespace muonscope::test
