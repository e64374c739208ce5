// Tests that hold on several backends: TEST_ON_BACKENDS("area: what holds") { const auto backend = make(); … } becomes a test
// on each of them, its name in brackets behind the test's.
//
// The device is the CUDA backend over the stand-in of test/cuda_shim; with MUONSCOPE_TEST_DEVICE=cuda, a real one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "test/test.h"

namespace muonscope::test {

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

struct BackendUnderTest {
  std::string id;
  MakeBackend make;
};

// All in fp32.
const std::vector<BackendUnderTest>& backendsUnderTest();
// The device in fp32 and in bf16.
const std::vector<BackendUnderTest>& devicesUnderTest();

struct RegisterOnBackends {
  RegisterOnBackends(const std::string& name, const std::vector<BackendUnderTest>& backends, void (*body)(const MakeBackend&)) {
    for (const auto& [id, make] : backends) cases().push_back({name + " [" + id + "]", [body, make = make] { body(make); }});
  }
};

}  // namespace muonscope::test

#define MUONSCOPE_TEST_ON(name, backends)                                                          \
  static void MUONSCOPE_JOIN(testBody, __LINE__)(const ::muonscope::test::MakeBackend& make);      \
  static const ::muonscope::test::RegisterOnBackends MUONSCOPE_JOIN(testCase, __LINE__)(           \
      name, ::muonscope::test::backends(), MUONSCOPE_JOIN(testBody, __LINE__));                    \
  static void MUONSCOPE_JOIN(testBody, __LINE__)(const ::muonscope::test::MakeBackend& make)
#define TEST_ON_BACKENDS(name) MUONSCOPE_TEST_ON(name, backendsUnderTest)
#define TEST_ON_DEVICES(name) MUONSCOPE_TEST_ON(name, devicesUnderTest)
