// Where the ranks work. On one device all of them share the model's backend. On several, rank r works on device r mod D,
// and each device has two lanes: two backends whose work goes on side by side, so that rows move for one set of matrices
// while another is orthogonalised.
//
// Backends of several devices know nothing of each other's order: `fork`, `join` and `Backend::waitFor` give it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "core/device_buffer.h"

namespace muonscope {

class Ranks {
 public:
  // `home`: the model's backend, on the first of `devices`. Throws std::invalid_argument when a device would have no rank.
  Ranks(Backend& home, const std::vector<int>& devices, int count);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int count() const { return count_; }
  int lanes() const { return lanes_; }
  int places() const { return static_cast<int>(places_.size()); }
  // Ranks at one place see the same memory. Place 0 is the model's.
  int placeOf(int rank) const { return rank % places(); }
  Backend& home() const { return at(0, 0); }
  Backend& at(int place, int lane) const { return *places_[static_cast<size_t>(place)][static_cast<size_t>(lane)]; }
  Backend& of(int rank, int lane) const { return at(placeOf(rank), lane); }

  // What is asked of any lane from now on comes after what home was asked for so far; the other way round.
  void fork() const;
  void join() const;
  // What is asked of the lane at `place` from now on comes after what the lane was asked for elsewhere; the other way round.
  void gather(int place, int lane) const;
  void spread(int place, int lane) const;
  // Where the lane of rank `to` sees the `floats` that rank `from` has at `source`: there, or, of a rank elsewhere, in
  // `staging`, whither they are copied when what `from` was asked for so far is done.
  const float* bring(int to, int from, int lane, const float* source, int64_t floats,
                     const std::optional<DeviceBuffer>& staging) const;

  // Bytes by place that `build` allocates at most at one time: as Backend::countBytes.
  std::vector<int64_t> countBytes(const std::function<void()>& build) const;

 private:
  int count_, lanes_;
  std::vector<std::unique_ptr<Backend>> made_;
  std::vector<std::vector<Backend*>> places_;  // by place and lane
};

}  // namespace muonscope
