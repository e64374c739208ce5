#include "test/backends.h"

#include <cstdlib>

#include "test/emulated_cuda.h"

namespace muonscope::test {
namespace {

BackendUnderTest device(const std::string& precision) {
  const char* real = std::getenv("MUONSCOPE_TEST_DEVICE");
  if (real && std::string(real) == "cuda")
    return {"cuda " + precision, [precision] { return makeCudaBackend({.precision = precision}); }};
  return {"emulated cuda " + precision, [precision] { return makeEmulatedCudaBackend(precision); }};
}

}  // namespace

const std::vector<BackendUnderTest>& backendsUnderTest() {
  static const std::vector<BackendUnderTest> list = {{"cpu", [] { return makeCpuBackend({2}); }}, device("fp32")};
  return list;
}

const std::vector<BackendUnderTest>& devicesUnderTest() {
  static const std::vector<BackendUnderTest> list = {device("fp32"), device("bf16")};
  return list;
}

}  // namespace muonscope::test
