// Construction and memory of the CPU backend.
#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>

#include "backend/cpu/blas.h"
#include "backend/cpu/machine.h"

namespace muonscope {
namespace {

constexpr std::align_val_t kAlignment{64};  // a cache line, and a vector of AVX-512
constexpr int64_t kCopyGrain = 64 * 1024;   // floats; below this one thread is as fast
constexpr int kMostThreads = 1024;
constexpr double kCheckedFrom = 64 << 20;    // bytes; smaller allocations do not decide whether a run fits

class OutOfMemory : public std::bad_alloc {
 public:
  OutOfMemory(double wanted, double available) {
    std::snprintf(text_, sizeof text_, "%.1f GiB wanted, %.1f GiB free", wanted / 0x1p30, available / 0x1p30);
  }
  const char* what() const noexcept override { return text_; }

 private:
  char text_[64];
};

}  // namespace

CpuBackend::CpuBackend(int threads) : pool_(threads > 0 ? threads : availableCores()) {
  useSerialBlas();
  const int lanes = pool_.lanes();
  info_ = {"cpu", blasName() + ", " + std::to_string(lanes) + (lanes == 1 ? " thread" : " threads"), lanes, sizeof(float)};
}

float* CpuBackend::allocateMemory(int64_t floats) {
  // Linux promises more than there is, and kills who then uses it: so ask first.
  const double wanted = double(floats) * sizeof(float);
  if (wanted > kCheckedFrom)
    if (const double available = availableMemory(); wanted > available) throw OutOfMemory(wanted, available);
  const size_t bytes = static_cast<size_t>(floats) * sizeof(float);
  auto* p = static_cast<float*>(::operator new(bytes, kAlignment));
  zero(p, floats);
  return p;
}

void CpuBackend::releaseMemory(float* p) noexcept { ::operator delete(p, kAlignment); }

int64_t CpuBackend::freeBytes() const { return static_cast<int64_t>(availableMemory()); }

std::unique_ptr<Backend> CpuBackend::onDevice(int) const {
  throw std::invalid_argument("device: expected one on the CPU, received several. Leave device out, or set backend \"cuda\".");
}

void CpuBackend::upload(float* to, const float* hostFrom, int64_t n) { copy(to, hostFrom, n); }

void CpuBackend::download(float* hostTo, const float* from, int64_t n) { copy(hostTo, from, n); }

void CpuBackend::read(double* hostTo, const double* from, int64_t n) { std::copy(from, from + n, hostTo); }

void CpuBackend::toCompute(ComputeMatrix y, Matrix x) { copy(fp32(y).data, x.data, x.size()); }

void CpuBackend::fromCompute(Batch y, ComputeBatch x) {
  for (int64_t i = 0; i < y.count; i++) copy(y[i].data, fp32(x)[i].data, x.size());
}

void CpuBackend::copy(float* to, const float* from, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { std::memcpy(to + begin, from + begin, (end - begin) * sizeof(float)); },
      kCopyGrain);
}

void CpuBackend::zero(float* to, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { std::memset(to + begin, 0, (end - begin) * sizeof(float)); }, kCopyGrain);
}

std::unique_ptr<Backend> makeCpuBackend(const BackendOptions& options) {
  if (options.threads < 0 || options.threads > kMostThreads)
    throw std::invalid_argument("threads: expected 0 (one per physical core) to " + std::to_string(kMostThreads) + ", received " +
                                std::to_string(options.threads));
  if (options.precision != "auto" && options.precision != "fp32")
    throw std::invalid_argument("precision: expected \"fp32\" or \"auto\" on the CPU, received \"" + options.precision +
                                "\". Choose one of these, or a backend that has it.");
  return std::make_unique<CpuBackend>(options.threads);
}

BackendAvailability cpuAvailability() { return {"cpu", true, CpuBackend(0).info().description, {}}; }

}  // namespace muonscope
