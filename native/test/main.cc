// Runs the tests whose name contains the argument (all without one); prints a line each and a summary. `muonscope_tests "" 1 4`: of
// four processes that share all of them the second.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "test/test.h"

int main(int argc, char** argv) {
  using namespace muonscope::test;
  const std::string filter = argc > 1 ? argv[1] : "";
  const int part = argc == 4 ? std::atoi(argv[2]) : 0, parts = argc == 4 ? std::atoi(argv[3]) : 1;
  if (argc == 3 || argc > 4 || part < 0 || part >= parts) {
    std::printf("expected [NAME [PART PARTS]], PART from 0 to PARTS - 1\n");
    return 2;
  }
  auto& list = cases();
  std::stable_sort(list.begin(), list.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  int passed = 0, failed = 0, turn = 0;
  for (const auto& test : list) {
    if (test.name.find(filter) == std::string::npos || turn++ % parts != part) continue;
    const auto start = std::chrono::steady_clock::now();
    std::string error;
    try {
      test.body();
    } catch (const std::exception& e) {
      error = e.what();
    } catch (...) {
      error = "an exception that is not a std::exception";
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%s  %s (%.0f ms)\n", error.empty() ? "ok  " : "FAIL", test.name.c_str(), seconds * 1e3);
    if (!error.empty()) std::printf("      %s\n", error.c_str());
    std::fflush(stdout);
    (error.empty() ? passed : failed)++;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  if (passed + failed == 0) {
    std::printf("no test has \"%s\" in its name\n", filter.c_str());
    return 2;
  }
  return failed == 0 ? 0 : 1;
}
