// Tests that hold on every backend: TEST_ON_BACKENDS("area: what holds") { const auto backend = make(); … } becomes a test
// on each of them, its name in brackets behind the test's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "test/test.h"

namespace muonscope::test {

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

// All of them in fp32.
inline const std::vector<std::pair<std::string, MakeBackend>>& backendsUnderTest() {
  static const std::vector<std::pair<std::string, MakeBackend>> list = {
      {"cpu", [] { return makeCpuBackend({2}); }},
  };
  return list;
}

struct RegisterOnBackends {
  RegisterOnBackends(const std::string& name, void (*body)(const MakeBackend&)) {
    for (const auto& [id, make] : backendsUnderTest())
      cases().push_back({name + " [" + id + "]", [body, make = make] { body(make); }});
  }
};

}  // namespace muonscope::test

#define TEST_ON_BACKENDS(name)                                                                     \
  static void MUONSCOPE_JOIN(testBody, __LINE__)(const ::muonscope::test::MakeBackend& make);      \
  static const ::muonscope::test::RegisterOnBackends MUONSCOPE_JOIN(testCase, __LINE__)(           \
      name, MUONSCOPE_JOIN(testBody, __LINE__));                                                   \
  static void MUONSCOPE_JOIN(testBody, __LINE__)(const ::muonscope::test::MakeBackend& make)
