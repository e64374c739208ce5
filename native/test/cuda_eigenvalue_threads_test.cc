// Eigenvalues that are worked out while the device goes on.
#include "backend/cuda/eigenvalue_threads.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "backend/cuda/cuda_backend.h"
#include "core/device_buffer.h"
#include "core/diagnostics.h"
#include "test/test.h"

namespace muonscope::test {
namespace {

// A solver that waits until it may go on, and says which matrix it was given.
std::atomic<bool> mayGoOn;
std::atomic<int> begun;

void patientSolver(double* out, double* a, int64_t n) {
  ++begun;
  while (!mayGoOn) std::this_thread::yield();
  if (a[0] < 0) throw std::runtime_error("no eigenvalues of it");
  for (int64_t i = 0; i < n; i++) out[i] = a[0] + double(i);
}

class Patience {
 public:
  Patience() { mayGoOn = false, begun = 0; }
  ~Patience() { mayGoOn = true; }
};

}  // namespace

TEST("eigenvalue threads: who asks does not wait, and is told in its own time") {
  cuda::EigenvalueThreads threads(patientSolver);
  const Patience patience;
  const auto one = threads.of({5, 0, 0, 5}, 2), two = threads.of({7}, 1), bad = threads.of({-1}, 1);
  CHECK(!one->ready() && !two->ready());
  mayGoOn = true;
  CHECK(one->get() == (std::vector<double>{5, 6}));
  CHECK(two->get() == (std::vector<double>{7}));
  CHECK_THROWS(bad->get(), "no eigenvalues of it");
  CHECK(one->ready() && two->ready() && bad->ready());
}

TEST("eigenvalue threads: no more than so many matrices are kept for them") {
  cuda::EigenvalueThreads threads(patientSolver);
  const Patience patience;
  std::atomic<int> asked = 0;
  std::thread asking([&] {
    for (int i = 0; i < 40; i++) threads.of({1}, 1), ++asked;
  });
  while (begun == 0 || asked < 16) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_LE(asked.load(), 16 + 4);  // kept, and worked on
  mayGoOn = true;
  asking.join();
  CHECK_EQ(asked.load(), 40);
}

TEST("eigenvalue threads: what was not begun is left when they end") {
  const Patience patience;
  std::thread later;
  {
    cuda::EigenvalueThreads threads(patientSolver);
    for (int i = 0; i < 12; i++) threads.of({1}, 1);
    while (begun == 0) std::this_thread::yield();
    later = std::thread([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      mayGoOn = true;
    });
  }
  later.join();
  CHECK_LE(begun.load(), 4);  // no more than there are threads
}

TEST("diagnostics: what needs singular values is told when they are known, in order, with its own step") {
  cuda::CudaBackend backend({.precision = "fp32"}, patientSolver);
  const Patience patience;
  const auto diagnostics = makeDiagnostics(backend);
  const DeviceBuffer x(backend, 6);
  backend.upload(x.data(), std::vector<float>(6, 2).data(), 6);
  const auto show = [&](std::vector<MeasureRequest> requests, int64_t step) {
    diagnostics->request(std::move(requests), step);
    diagnostics->show(Tap::update, "w", {x.data(), 2, 3});
    CHECK_LE(1e-9, diagnostics->seconds());
  };
  show({{"update_rms", "update", "w"}, {"condition_number", "update", "w"}}, 3);
  show({{"update_rms", "update", "w"}}, 4);
  const std::vector<Measurement> known = diagnostics->take(false);
  CHECK_EQ(known.size(), 1u);
  CHECK(known[0].channel == "update_rms" && known[0].step == 3);
  CHECK_EQ(diagnostics->pending(), 1);
  mayGoOn = true;
  const std::vector<Measurement> rest = diagnostics->take(true);
  CHECK_EQ(rest.size(), 2u);
  CHECK(rest[0].channel == "condition_number" && rest[0].step == 3);
  CHECK_LE(std::abs(rest[0].values.at(0) - std::sqrt(13.0 / 12)), 1e-12);  // the solver's: the Gram matrix's corner, and 1 more
  CHECK(rest[1].channel == "update_rms" && rest[1].step == 4);
  CHECK_EQ(diagnostics->pending(), 0);
}

}  // namespace muonscope::test
