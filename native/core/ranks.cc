#include "core/ranks.h"

#include <new>
#include <stdexcept>
#include <string>

namespace muonscope {
namespace {

std::unique_ptr<Backend> makeOn(const Backend& home, int device) {
  try {
    return home.onDevice(device);
  } catch (const std::bad_alloc& error) {
    throw std::runtime_error("device " + std::to_string(device) + " has no memory for ranks: " + error.what() +
                             ". Close what else uses it (`nvidia-smi` shows it), or leave it out.");
  }
}

}  // namespace

Ranks::Ranks(Backend& home, const std::vector<int>& devices, int count)
    : count_(count), lanes_(devices.size() > 1 ? 2 : 1), places_(devices.size()) {
  if (count < 1) throw std::invalid_argument("ranks: expected at least 1, got " + std::to_string(count) + ".");
  if (devices.empty() || devices.size() > static_cast<size_t>(count))
    throw std::invalid_argument("device: expected from 1 to as many devices as there are ranks, " + std::to_string(count) +
                                ", received " + std::to_string(devices.size()) + ". Leave devices out, or raise ranks.");
  for (size_t place = 0; place < devices.size(); ++place) {
    for (int lane = 0; lane < lanes_; ++lane) {
      const bool isHome = place == 0 && lane == 0;
      if (!isHome) made_.push_back(makeOn(home, devices[place]));
      places_[place].push_back(isHome ? &home : made_.back().get());
    }
  }
}

// What home still does may use memory of the others. An error can only be that of a device that is lost, told when it came.
Ranks::~Ranks() {
  try {
    join();
    fork();
  } catch (...) {
  }
}

void Ranks::fork() const {
  for (const auto& backend : made_) backend->waitFor(home());
}

void Ranks::join() const {
  for (const auto& backend : made_) home().waitFor(*backend);
}

void Ranks::gather(int place, int lane) const {
  for (int other = 0; other < places(); ++other) at(place, lane).waitFor(at(other, lane));
}

void Ranks::spread(int place, int lane) const {
  for (int other = 0; other < places(); ++other) at(other, lane).waitFor(at(place, lane));
}

const float* Ranks::bring(int to, int from, int lane, const float* source, int64_t floats,
                          const std::optional<DeviceBuffer>& staging) const {
  if (placeOf(to) == placeOf(from)) return source;
  of(to, lane).waitFor(of(from, lane));
  of(to, lane).copy(staging->data(), source, floats);
  return staging->data();
}

std::vector<int64_t> Ranks::countBytes(const std::function<void()>& build) const {
  std::vector<int64_t> bytes(places_.size());
  std::function<void()> counted = build;
  for (size_t place = 0; place < places_.size(); ++place)
    for (Backend* backend : places_[place])
      counted = [&bytes, place, backend, inner = std::move(counted)] { bytes[place] += backend->countBytes(inner); };
  counted();
  return bytes;
}

}  // namespace muonscope
