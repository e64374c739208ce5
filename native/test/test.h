// A small test harness: TEST("area: what holds") { CHECK(...); }. A failed check ends its test and prints where.
#pragma once

#include <cmath>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace muonscope::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> list;
  return list;
}

struct Register {
  Register(std::string name, std::function<void()> body) { cases().push_back({std::move(name), std::move(body)}); }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& message) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + message);
}

// The message of the exception that `body` throws; fails where it throws none.
template <class Body>
std::string messageOf(const char* file, int line, const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  fail(file, line, "expected an exception, none came");
}

}  // namespace muonscope::test

#define MUONSCOPE_JOIN2(a, b) a##b
#define MUONSCOPE_JOIN(a, b) MUONSCOPE_JOIN2(a, b)
#define TEST(name)                                                                          \
  static void MUONSCOPE_JOIN(testBody, __LINE__)();                                         \
  static const ::muonscope::test::Register MUONSCOPE_JOIN(testCase, __LINE__)(              \
      name, MUONSCOPE_JOIN(testBody, __LINE__));                                            \
  static void MUONSCOPE_JOIN(testBody, __LINE__)()

#define CHECK(condition)                                                                    \
  do {                                                                                      \
    if (!(condition)) ::muonscope::test::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (false)

// left ≤ right, both printed when not.
#define CHECK_LE(left, right)                                                                             \
  do {                                                                                                    \
    const auto l_ = (left);                                                                               \
    const auto r_ = (right);                                                                              \
    if (!(l_ <= r_)) {                                                                                    \
      std::ostringstream text_;                                                                           \
      text_ << "expected " #left " (" << l_ << ") <= " #right " (" << r_ << ")";                          \
      ::muonscope::test::fail(__FILE__, __LINE__, text_.str());                                           \
    }                                                                                                     \
  } while (false)

#define CHECK_EQ(left, right)                                                                             \
  do {                                                                                                    \
    const auto l_ = (left);                                                                               \
    const auto r_ = (right);                                                                              \
    if (!(l_ == r_)) {                                                                                    \
      std::ostringstream text_;                                                                           \
      text_ << "expected " #left " (" << l_ << ") == " #right " (" << r_ << ")";                          \
      ::muonscope::test::fail(__FILE__, __LINE__, text_.str());                                           \
    }                                                                                                     \
  } while (false)

// `statement` throws an exception whose message contains `part`.
#define CHECK_THROWS(statement, part)                                                                     \
  do {                                                                                                    \
    const std::string message_ = ::muonscope::test::messageOf(__FILE__, __LINE__, [&] { statement; });    \
    if (message_.find(part) == std::string::npos)                                                         \
      ::muonscope::test::fail(__FILE__, __LINE__, "expected a message with \"" + std::string(part) +      \
                                                      "\", received \"" + message_ + "\"");               \
  } while (false)
