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

std::vector<float> ShardedTensor::read(Backend& backend) const {
  std::vector<float> values(static_cast<size_t>(rows * width));
  const int ranks = replicated ? 1 : static_cast<int>(parts.size());
  for (int rank = 0; rank < ranks; ++rank) {
    const RowRange range = rowsOfRank(rows, rank, ranks);
    backend.download(values.data() + range.first * width, parts[static_cast<size_t>(rank)], range.count * width);
  }
  return values;
}

void ShardedTensor::write(Backend& backend, const std::vector<float>& values) const {
  const int ranks = static_cast<int>(parts.size());
  for (int rank = 0; rank < ranks; ++rank) {
    const RowRange range = replicated ? RowRange{0, rows} : rowsOfRank(rows, rank, ranks);
    backend.upload(parts[static_cast<size_t>(rank)], values.data() + range.first * width, range.count * width);
  }
}

void Transport::send(Phase phase, int from, int to, float* target, const float* source, int64_t floats) {
  if (target == source || floats == 0) return;
  const auto timer = costs_.time(phase, from);
  backend_.copy(target, source, floats);
  if (from != to) costs_.addBytes(phase, from, static_cast<double>(floats) * sizeof(float));
}

void Transport::receive(Phase phase, int to, float* target, const float* source, int64_t floats) {
  const auto timer = costs_.time(phase, to);
  backend_.copy(target, source, floats);
  costs_.addBytes(phase, to, static_cast<double>(floats) * sizeof(float));
}

}  // namespace muonscope
