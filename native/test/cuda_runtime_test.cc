// Time of the CUDA backend (work that is prepared, marks, the clock), its options, and what its errors say.
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/library.h"
#include "test/emulated_cuda.h"
#include "test/emulated_settings.h"
#include "test/test.h"

extern "C" const muonscope::CudaLibrary* muonscope_cuda_library();

using namespace muonscope;
using namespace muonscope::test;
using Mark = Backend::Mark;

namespace {

// A backend and, in its memory, three arrays of five numbers: ones, twos and zeros.
struct Fixture {
  std::unique_ptr<Backend> backend = makeEmulatedCudaBackend("fp32");
  float* ones = filled(1);
  float* twos = filled(2);
  float* y = filled(0);

  float* filled(float value) {
    float* p = backend->allocate(5);
    const std::vector<float> values(5, value);
    backend->upload(p, values.data(), 5);
    return p;
  }
  // Of y, the same in all of it.
  float value() {
    std::vector<float> values(5);
    backend->download(values.data(), y, 5);
    for (float v : values) CHECK_EQ(v, values[0]);
    return values[0];
  }
  // y ← y + a·x
  void add(const float* x, float a) { backend->axpby(y, x, a, 1, 5); }
};

std::unique_ptr<Backend> makeWith(const BackendOptions& options) {
  return muonscope_cuda_library()->make(options, symmetricEigenvalues);
}

std::unique_ptr<Backend> makeOnDevice(int device) {
  BackendOptions options;
  options.device = device;
  return makeWith(options);
}

std::unique_ptr<Backend> makeIn(const std::string& precision) {
  BackendOptions options;
  options.precision = precision;
  return makeWith(options);
}

}  // namespace

TEST("cuda runtime: prepared work is done by launch, once") {
  Fixture f;
  f.backend->prepare([&] { f.add(f.ones, 1); });
  CHECK_EQ(f.value(), 0.0f);
  f.backend->launch();
  CHECK_EQ(f.value(), 1.0f);
  f.backend->launch();
  CHECK_EQ(f.value(), 1.0f);
  f.backend->prepare([&] { f.add(f.ones, 1); });
  CHECK_EQ(f.value(), 1.0f);
  f.backend->prepare([&] { f.add(f.ones, 10); });
  f.backend->launch();
  CHECK_EQ(f.value(), 11.0f);
}

TEST("cuda runtime: prepared again, work has the numbers and the memory of the last time") {
  Fixture f;
  const auto step = [&](const float* x, float a) {
    f.backend->prepare([&] { f.add(x, a); });
    f.backend->launch();
  };
  step(f.ones, 1);
  step(f.ones, 4);
  CHECK_EQ(f.value(), 5.0f);
  step(f.twos, 4);
  CHECK_EQ(f.value(), 13.0f);
}

TEST("cuda runtime: prepared again, work may be other work, more or less of it, or none") {
  Fixture f;
  const auto step = [&](const std::function<void()>& work) {
    f.backend->prepare(work);
    f.backend->launch();
    return f.value();
  };
  CHECK_EQ(step([&] { f.add(f.ones, 1); }), 1.0f);
  CHECK_EQ(step([&] { f.add(f.ones, 1), f.add(f.twos, 1); }), 4.0f);
  CHECK_EQ(step([&] { f.backend->copy(f.y, f.twos, 5), f.add(f.ones, 1); }), 3.0f);
  CHECK_EQ(step([&] { f.backend->zero(f.y, 5); }), 0.0f);
  CHECK_EQ(step([&] { f.add(f.ones, 1); }), 1.0f);
  CHECK_EQ(step([] {}), 1.0f);
  CHECK_EQ(step([&] { f.add(f.ones, 1); }), 2.0f);
}

TEST("cuda runtime: an error in work that is prepared is passed on, and the backend goes on") {
  Fixture f;
  CHECK_THROWS(f.backend->prepare([&] {
    f.add(f.ones, 1);
    throw std::invalid_argument("no");
  }),
               "no");
  f.backend->launch();
  CHECK_EQ(f.value(), 0.0f);
  f.add(f.ones, 1);
  f.backend->prepare([&] { f.add(f.ones, 1); });
  f.backend->launch();
  CHECK_EQ(f.value(), 2.0f);
}

TEST("cuda runtime: what allocates or waits is refused in work that is prepared, and the backend goes on") {
  Fixture f;
  double d = 0;
  float x = 0;
  std::vector<float> large(size_t{2} << 20);
  const std::vector<std::function<void()>> works = {
      [&] { f.backend->allocate(7); },
      [&] { f.backend->upload(f.y, &x, 1); },
      [&] { f.backend->upload(f.y, large.data(), static_cast<int64_t>(large.size())); },
      [&] { f.backend->download(&x, f.y, 1); },
      [&] { f.backend->read(&d, reinterpret_cast<const double*>(f.y), 1); },
      [&] { f.backend->clock(); },
      [&] { f.backend->mark(Mark::modelBegin); },
      [&] { f.backend->between(Mark::modelBegin, Mark::modelEnd); },
      [&] { f.backend->prepare([] {}); },
      [&] { f.backend->launch(); },
  };
  for (const auto& work : works) {
    CHECK_THROWS(f.backend->prepare(work), "expected outside of work that is prepared");
    f.backend->prepare([&] { f.add(f.ones, 1); });
    f.backend->launch();
  }
  CHECK_EQ(f.value(), static_cast<float>(works.size()));
}

TEST("cuda runtime: work that CUDA refuses to record or to launch is an error, and the backend goes on") {
  const EmulatedSettings settings;
  Fixture f;
  for (const char* call : {"cudaStreamBeginCapture", "cudaGraphInstantiate", "cudaGraphLaunch"}) {
    f.backend->prepare([] {});
    cudaShim::failCall(1, cudaErrorNotPermitted, call);
    CHECK_THROWS((f.backend->prepare([&] { f.add(f.ones, 1); }), f.backend->launch()), "cudaErrorNotPermitted");
    cudaShim::failNoCall();
  }
  f.add(f.ones, 1);
  CHECK_EQ(f.value(), 1.0f);
}

TEST("cuda runtime: marks tell the seconds between them, and 0 where there are none") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  CHECK_EQ(backend->between(Mark::modelBegin, Mark::modelEnd), 0.0);
  const double start = backend->clock();
  backend->mark(Mark::modelBegin);
  CHECK_EQ(backend->between(Mark::modelBegin, Mark::modelEnd), 0.0);
  const double atLeast = backend->clock();
  while (backend->clock() < atLeast + 0.002) {
  }
  backend->mark(Mark::modelEnd);
  const double end = backend->clock(), seconds = backend->between(Mark::modelBegin, Mark::modelEnd);
  CHECK_LE(0.002, seconds);
  CHECK_LE(seconds, end - start);
  CHECK_EQ(backend->between(Mark::optimizerBegin, Mark::optimizerEnd), 0.0);
}

TEST("cuda runtime: the clock waits for the work") {
  const EmulatedSettings settings;
  cudaShim::settings().late = true;
  Fixture f;
  f.backend->clock();  // the fixture's own work
  f.add(f.ones, 1);
  CHECK_EQ(f.y[0], 0.0f);  // its memory is the host's
  f.backend->clock();
  CHECK_EQ(f.y[0], 1.0f);
}

TEST("cuda runtime: precisions, and what the backend says of itself") {
  CHECK_EQ(makeIn("auto")->info().computeBytes, 2);
  CHECK_EQ(makeIn("bf16")->info().computeBytes, 2);
  CHECK_EQ(makeIn("tf32")->info().computeBytes, 4);
  CHECK_EQ(makeIn("fp32")->info().computeBytes, 4);
  CHECK_THROWS(makeIn("fp16"), "expected \"fp32\", \"tf32\", \"bf16\" or \"auto\" (bf16) on a GPU, received \"fp16\"");
  const auto backend = makeIn("tf32");
  CHECK_EQ(backend->info().id, std::string("cuda"));
  CHECK(backend->info().description.starts_with("Emulated device, 1.0 GiB, tf32, cuBLASLt 1"));
}

TEST("cuda runtime: a device that is not there or too old is refused, with those that are there") {
  const EmulatedSettings settings;
  cudaShim::settings().devices = 2;
  CHECK_EQ(makeOnDevice(1)->info().id, std::string("cuda"));
  for (int device : {-1, 2})
    CHECK_THROWS(makeOnDevice(device), "received " + std::to_string(device) +
                                           ". There are 0: Emulated device, 1.0 GiB; 1: Emulated device, 1.0 GiB.");
  cudaShim::settings().computeCapabilityMajor = 7;
  CHECK_THROWS(makeOnDevice(0), "0: Emulated device, 1.0 GiB (too old: compute capability 7.0, needed is 8.0, Ampere, or newer)");
}

TEST("cuda runtime: a backend that could not be made leaves nothing behind") {
  const EmulatedSettings settings;
  const size_t before = cudaShim::allocatedBytes();
  for (int call = 1;; call++) {
    cudaShim::failCall(call, cudaErrorNotPermitted);
    try {
      makeOnDevice(0);
      cudaShim::failNoCall();
    } catch (const std::runtime_error&) {
      CHECK_EQ(cudaShim::allocatedBytes(), before);
      continue;
    }
    CHECK_LE(10, call);  // calls of the constructor, all of which failed once
    break;
  }
}

TEST("cuda runtime: availability") {
  const EmulatedSettings settings;
  const CudaLibrary& library = *muonscope_cuda_library();
  const BackendAvailability one = library.availability();
  CHECK(one.available);
  CHECK_EQ(one.detail, std::string("Emulated device, 1.0 GiB"));
  CHECK(one.devices == std::vector<std::string>{"Emulated device, 1.0 GiB"});
  cudaShim::settings().devices = 0;
  CHECK_THROWS(library.availability(), "docker: --gpus all");
  cudaShim::settings() = {};
  cudaShim::settings().computeCapabilityMajor = 7;
  cudaShim::settings().computeCapabilityMinor = 5;
  const BackendAvailability old = library.availability();
  CHECK(!old.available);
  CHECK(old.detail.find("No GPU here can be used. Emulated device, 1.0 GiB (too old: compute capability 7.5") == 0);
  CHECK_EQ(old.devices.size(), size_t{1});
}

TEST("cuda runtime: a driver that is too old is named, with the one that is needed") {
  const EmulatedSettings settings;
  cudaShim::settings().driverVersion = 12080;
  const char* expected = "NVIDIA's driver must be 580 or newer (for CUDA 13.0); the one here is made for CUDA 12.8. Update it";
  CHECK_THROWS(muonscope_cuda_library()->availability(), expected);
  CHECK_THROWS(makeOnDevice(0), expected);
  cudaShim::settings().driverVersion = 0;
  CHECK_THROWS(makeOnDevice(0), "none was found. Install it");
}

TEST("cuda runtime: errors come with what to do, and a lost device can be let go of") {
  const EmulatedSettings settings;
  CHECK(cuda::remedy(cudaErrorMemoryAllocation).find("make the model, the batch or the context smaller") != std::string::npos);
  CHECK(cuda::remedy(cudaErrorDevicesUnavailable).find("Another process holds the GPU") != std::string::npos);
  CHECK(cuda::remedy(cudaErrorECCUncorrectable).find("Checkpoints are good") != std::string::npos);
  CHECK_EQ(cuda::remedy(cudaErrorInvalidValue), std::string());
  Fixture f;
  cudaShim::failCall(1, cudaErrorIllegalAddress, "cudaStreamSynchronize");
  CHECK_THROWS(f.value(), "copying from the device: CUDA answered cudaErrorIllegalAddress");
  cudaShim::failCall(1, cudaErrorIllegalAddress);
  f.backend.reset();
}
