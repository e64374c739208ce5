#include "core/matrix_chunk.h"

#include <map>
#include <tuple>

namespace muonscope {
namespace {

Statistic statisticOf(const MatrixSettings& settings, int64_t rows, int64_t cols) {
  if (settings.normalization == Normalization::none) return Statistic::none;
  if (settings.normalization == Normalization::coordinate) return Statistic::coordinates;
  return settings.longerAxis && rows < cols ? Statistic::columns : Statistic::rows;
}

int64_t momentsPerMatrix(Statistic statistic, int64_t rows, int64_t cols) {
  switch (statistic) {
    case Statistic::none:
      return 0;
    case Statistic::rows:
      return rows;
    case Statistic::columns:
      return cols;
    case Statistic::coordinates:
      return rows * cols;
  }
  return 0;
}

void allocateParts(const Ranks& ranks, MatrixChunk& chunk) {
  const int64_t count = static_cast<int64_t>(chunk.members.size());
  for (int rank = 0; rank < ranks.count(); ++rank) {
    const RowRange range = rowsOfRank(chunk.rows, rank, ranks.count());
    Backend& backend = ranks.of(rank, 0);
    const int64_t moments = momentsPerMatrix(chunk.statistic, range.count, chunk.cols);
    chunk.parts.push_back({range, DeviceBuffer(backend, count * range.count * chunk.cols), DeviceBuffer(backend, count * moments), moments});
  }
}

}  // namespace

std::vector<MatrixChunk> makeMatrixChunks(const Ranks& ranks, const std::vector<Parameter>& parameters,
                                          const std::vector<MatrixSettings>& settings) {
  std::vector<std::string> names;
  std::vector<int64_t> sizes;
  for (const Parameter& parameter : parameters) {
    names.push_back(parameter.name);
    sizes.push_back(parameter.weight.size());
  }
  const Ownership ownership = assignOwners(names, sizes, ranks.count());
  std::vector<MatrixChunk> chunks;
  std::map<std::tuple<int, int64_t, int64_t>, size_t> open;  // owner and shape → the chunk that may still have room
  for (const size_t index : ownership.order) {
    const int64_t rows = parameters[index].weight.rows, cols = parameters[index].weight.cols;
    const std::tuple<int, int64_t, int64_t> key = {ownership.owner[index], rows, cols};
    const auto place = open.find(key);
    if (place != open.end() && static_cast<int64_t>(chunks[place->second].members.size()) < ranks.home().preferredBatch(rows, cols)) {
      chunks[place->second].members.push_back(index);
    } else {
      open[key] = chunks.size();
      chunks.push_back({rows, cols, ownership.owner[index], statisticOf(settings[index], rows, cols), {index}, {}});
    }
  }
  for (MatrixChunk& chunk : chunks) allocateParts(ranks, chunk);
  return chunks;
}

void MatrixChunk::appendState(std::vector<GroupState>& all, size_t slot, const std::string& name) const {
  ShardedTensor momentum{.rows = rows, .width = cols}, moments = momentum;
  std::vector<int64_t> shape = {rows, cols};
  if (statistic == Statistic::rows) {
    moments.width = 1;
    shape = {rows};
  } else if (statistic == Statistic::columns) {
    moments = {.rows = cols, .width = 1, .replicated = true};
    shape = {cols};
  }
  for (const ChunkPart& part : parts) {
    momentum.parts.push_back(part.momentum.data() + static_cast<int64_t>(slot) * part.range.count * cols);
    moments.parts.push_back(part.secondMoment.data() + static_cast<int64_t>(slot) * part.momentsPerMatrix);
  }
  all.push_back({{"momentum." + name, {rows, cols}}, momentum});
  if (statistic != Statistic::none) all.push_back({{"second_moment." + name, shape}, moments});
}

}  // namespace muonscope
