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
    ++counts_.try_emplace(what, Count{0, thread}).first->second.threads;
  }
  std::string text() const {
    std::string all;
    for (const auto& [what, count] : counts_)
      all += (all.empty() ? "" : ", ") + std::to_string(count.threads) + " threads (first: number " +
             std::to_string(count.first) + ") " + what;
    return all;
  }

 private:
  struct Count {
    unsigned threads, first;
  };
  std::map<std::string, Count> counts_;
};

}  // namespace cudaShim
