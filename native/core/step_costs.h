// Seconds and bytes of one step, by phase and rank.
#pragma once

#include <array>
#include <chrono>
#include <vector>

#include "core/optimizer.h"

namespace muonscope {

enum class Phase { reduceScatter, momentum, gather, orthogonalize, scatter, normalize, apply };

class StepCosts {
 public:
  explicit StepCosts(int ranks) : ranks_(static_cast<size_t>(ranks)) {}

  // Counts the time until the returned object is destroyed.
  class Timer {
   public:
    explicit Timer(double& seconds) : seconds_(seconds), start_(std::chrono::steady_clock::now()) {}
    ~Timer() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

   private:
    double& seconds_;
    std::chrono::steady_clock::time_point start_;
  };
  Timer time(Phase phase, int rank) { return Timer(entry(phase, rank).seconds); }
  void addBytes(Phase phase, int rank, double bytes) { entry(phase, rank).bytes += bytes; }

  std::vector<PhaseCost> report() const {
    static const std::array<const char*, phases> names = {"reduce_scatter", "momentum",  "gather", "orthogonalize",
                                                          "scatter",        "normalize", "apply"};
    std::vector<PhaseCost> costs;
    for (size_t rank = 0; rank < ranks_.size(); ++rank)
      for (size_t phase = 0; phase < phases; ++phase)
        costs.push_back({names[phase], static_cast<int>(rank), ranks_[rank][phase].seconds, ranks_[rank][phase].bytes});
    return costs;
  }

 private:
  static constexpr size_t phases = 7;
  struct Entry {
    double seconds = 0, bytes = 0;
  };
  Entry& entry(Phase phase, int rank) { return ranks_[static_cast<size_t>(rank)][static_cast<size_t>(phase)]; }

  std::vector<std::array<Entry, phases>> ranks_;
};

}  // namespace muonscope
