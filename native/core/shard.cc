#include "core/shard.h"

#include <algorithm>
#include <numeric>

namespace muonscope {

RowRange rowsOfRank(int64_t rows, int rank, int ranks) {
  const int64_t size = (rows + ranks - 1) / ranks;
  const int64_t first = std::min(rank * size, rows);
  return {first, std::min(first + size, rows) - first};
}

Ownership assignOwners(const std::vector<std::string>& names, const std::vector<int64_t>& sizes, int ranks) {
  Ownership result;
  result.order.resize(names.size());
  std::iota(result.order.begin(), result.order.end(), size_t{0});
  std::sort(result.order.begin(), result.order.end(), [&](size_t a, size_t b) {
    return sizes[a] != sizes[b] ? sizes[a] > sizes[b] : names[a] < names[b];
  });
  result.owner.resize(names.size());
  for (size_t i = 0; i < result.order.size(); ++i) result.owner[result.order[i]] = static_cast<int>(i % static_cast<size_t>(ranks));
  return result;
}

std::vector<float> ShardedTensor::read(const Ranks& ranks) const {
  ranks.fork();
  std::vector<float> values(static_cast<size_t>(rows * width));
  const int count = replicated ? 1 : ranks.count();
  for (int rank = 0; rank < count; ++rank) {
    const RowRange range = rowsOfRank(rows, rank, count);
    ranks.of(rank, 0).download(values.data() + range.first * width, parts[static_cast<size_t>(rank)], range.count * width);
  }
  return values;
}

void ShardedTensor::write(const Ranks& ranks, const std::vector<float>& values) const {
  ranks.fork();
  for (int rank = 0; rank < ranks.count(); ++rank) {
    const RowRange range = replicated ? RowRange{0, rows} : rowsOfRank(rows, rank, ranks.count());
    ranks.of(rank, 0).upload(parts[static_cast<size_t>(rank)], values.data() + range.first * width, range.count * width);
  }
  ranks.join();
}

namespace {

double bytesOf(int64_t floats) { return static_cast<double>(floats) * sizeof(float); }

}  // namespace

void Transport::send(Phase phase, int from, int to, float* target, const float* source, int64_t floats) {
  if (target == source || floats == 0) return;
  Backend& backend = ranks_.of(to, lane_);
  const auto timer = costs_.time(phase, from, backend);
  backend.copy(target, source, floats);
  if (from != to) costs_.addBytes(phase, from, bytesOf(floats));
}

void Transport::receive(Phase phase, int to, float* target, const float* source, int64_t floats) {
  Backend& backend = ranks_.of(to, lane_);
  const auto timer = costs_.time(phase, to, backend);
  backend.copy(target, source, floats);
  costs_.addBytes(phase, to, bytesOf(floats));
}

void Transport::fetch(int rank, float* rows, const float* weights, int64_t floats) { receive(Phase::apply, rank, rows, weights, floats); }

void Transport::giveBack(int rank, float* weights, const float* rows, int64_t floats) {
  Backend& home = ranks_.at(0, lane_);
  home.waitFor(ranks_.of(rank, lane_));
  const auto timer = costs_.time(Phase::apply, rank, home);
  home.copy(weights, rows, floats);
  costs_.addBytes(Phase::apply, rank, bytesOf(floats));
}

}  // namespace muonscope
