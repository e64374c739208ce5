// Matches names against a pattern in which * stands for any run of characters, dots included.
#pragma once

#include <string_view>

namespace muonscope {

// Only the latest * is ever stretched: what stands before it matched as early as it can, which leaves the most to the rest. So
// the time is at most the product of both lengths, whatever the pattern.
inline bool globMatches(std::string_view pattern, std::string_view name) {
  constexpr size_t none = std::string_view::npos;
  size_t p = 0, n = 0, star = none, taken = 0;  // the latest *, and where what it stands for ends
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      p++;
      n++;
    } else if (star != none) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == none;
}

}  // namespace muonscope
