// Matches names against a pattern in which * stands for any run of characters, dots included.
#pragma once

#include <string_view>

namespace muonscope {

inline bool globMatches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] != '*') return !name.empty() && pattern[0] == name[0] && globMatches(pattern.substr(1), name.substr(1));
  while (pattern.size() > 1 && pattern[1] == '*') pattern.remove_prefix(1);
  for (size_t i = 0; i <= name.size(); ++i)
    if (globMatches(pattern.substr(1), name.substr(i))) return true;
  return false;
}

}  // namespace muonscope
