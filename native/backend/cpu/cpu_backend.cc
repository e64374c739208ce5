// Construction and memory of the CPU backend.
#include "backend/cpu/cpu_backend.h"

#include <cstdio>
#include <cstring>
#include <new>

#include "backend/cpu/blas.h"
#include "backend/cpu/machine.h"

namespace muonscope {
namespace {

constexpr std::align_val_t kAlignment{64};  // a cache line, and a vector of AVX-512
constexpr int64_t kCopyGrain = 64 * 1024;   // floats; below this one thread is as fast
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
  info_ = {"cpu", blasName() + ", " + std::to_string(lanes) + (lanes == 1 ? " thread" : " threads"), lanes};
}

float* CpuBackend::allocate(int64_t floats) {
  // Linux promises more than there is, and kills who then uses it: so ask first.
  const double wanted = double(floats) * sizeof(float);
  if (wanted > kCheckedFrom)
    if (const double available = availableMemory(); wanted > available) throw OutOfMemory(wanted, available);
  const size_t bytes = static_cast<size_t>(floats) * sizeof(float);
  auto* p = static_cast<float*>(::operator new(bytes, kAlignment));
  zero(p, floats);
  return p;
}

void CpuBackend::release(float* p) noexcept { ::operator delete(p, kAlignment); }

void CpuBackend::upload(float* to, const float* from, int64_t n) { copy(to, from, n); }

void CpuBackend::download(float* to, const float* from, int64_t n) { copy(to, from, n); }

void CpuBackend::copy(float* to, const float* from, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { std::memcpy(to + begin, from + begin, (end - begin) * sizeof(float)); },
      kCopyGrain);
}

void CpuBackend::zero(float* to, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { std::memset(to + begin, 0, (end - begin) * sizeof(float)); }, kCopyGrain);
}

std::unique_ptr<Backend> makeCpuBackend(int threads) { return std::make_unique<CpuBackend>(threads); }

}  // namespace muonscope
