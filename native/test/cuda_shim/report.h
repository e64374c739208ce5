// Words for where the threads of a block are.
#pragma once

#include <map>
#include <source_location>
#include <string>

namespace cudaShim {

inline std::string text(std::source_location where) {
  const std::string file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}

// How many threads do the same, and which is the first of them.
class Tally {
 public:
  void add(const std::string& what, unsigned thread) {
    auto& [count, first] = counts_.try_emplace(what, 0u, thread).first->second;
    (void)first;
    ++count;
  }
  std::string text() const {
    std::string all;
    for (const auto& [what, value] : counts_)
      all += (all.empty() ? "" : ", ") + std::to_string(value.first) + " threads (first: number " + std::to_string(value.second) + ") " + what;
    return all;
  }

 private:
  std::map<std::string, std::pair<unsigned, unsigned>> counts_;
};

}  // namespace cudaShim
