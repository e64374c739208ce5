// Seconds and bytes of one step, by phase and rank.
#pragma once

#include <array>
#include <exception>
#include <vector>

#include "backend/backend.h"
#include "core/optimizer.h"

namespace muonscope {

enum class Phase { reduceScatter, momentum, gather, orthogonalize, scatter, normalize, apply };

class StepCosts {
 public:
  // `timed`: whether to read the clock; where the work is only prepared there is nothing to time.
  StepCosts(int ranks, bool timed) : timed_(timed), ranks_(static_cast<size_t>(ranks)) {}

  // Counts the time until the returned object is destroyed.
  class Timer {
   public:
    // `backend`: null when nothing is timed.
    Timer(Backend* backend, double& seconds) : backend_(backend), seconds_(seconds), start_(backend ? backend->clock() : 0) {}
    ~Timer() noexcept(false) {
      if (backend_ && std::uncaught_exceptions() <= exceptions_) seconds_ += backend_->clock() - start_;
    }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

   private:
    Backend* backend_;
    double& seconds_;
    double start_;
    // Not 0: exceptions that come out of another library leave the count changed.
    int exceptions_ = std::uncaught_exceptions();
  };
  // `backend`: the one that does the work.
  Timer time(Phase phase, int rank, Backend& backend) { return Timer(timed_ ? &backend : nullptr, entry(phase, rank).seconds); }
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

  bool timed_;
  std::vector<std::array<Entry, phases>> ranks_;
};

}  // namespace muonscope
