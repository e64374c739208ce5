// Matrices of one shape and one owner that are worked on together, and what each rank keeps of them.
#pragma once

#include <string>
#include <vector>

#include "core/device_buffer.h"
#include "core/matrix_settings.h"
#include "core/optimizer.h"
#include "core/parameter_group.h"
#include "core/shard.h"

namespace muonscope {

// What the second moment is kept over.
enum class Statistic { none, rows, columns, coordinates };

// Rank r's rows of every matrix of the chunk, one matrix after the other.
struct ChunkPart {
  RowRange range;
  DeviceBuffer momentum;      // [count, range.count, cols]
  DeviceBuffer secondMoment;  // [count, momentsPerMatrix]
  int64_t momentsPerMatrix;   // none: 0, rows: range.count, columns: cols (each rank keeps all), coordinates: range.count·cols
};

struct MatrixChunk {
  int64_t rows, cols;
  int owner;
  Statistic statistic;
  std::vector<size_t> members;  // indices of parameters
  std::vector<ChunkPart> parts;  // by rank

  // The state of the matrix at `slot`, under the parameter's name.
  void appendState(std::vector<GroupState>& all, size_t slot, const std::string& name) const;
};

// All matrices in chunks of at most the backend's preferred batch, dealt to the ranks as Algorithm 2 does, state allocated.
std::vector<MatrixChunk> makeMatrixChunks(const Ranks& ranks, const std::vector<Parameter>& parameters,
                                          const std::vector<MatrixSettings>& settings);

// Neighbours in a chunk whose knobs have the same values in this step: [first, first + count).
struct Run {
  MatrixChunk* chunk;
  int64_t first, count;
  const MatrixSettings* settings;

  size_t member(int64_t i) const { return chunk->members[static_cast<size_t>(first + i)]; }
  const ChunkPart& part(int rank) const { return chunk->parts[static_cast<size_t>(rank)]; }
  int64_t rowsOn(int rank) const { return part(rank).range.count; }
  int64_t floatsOn(int rank) const { return rowsOn(rank) * chunk->cols; }
  // A rank's rows of a whole matrix of the run.
  float* rowsOfWhole(float* whole, int rank) const { return whole + part(rank).range.first * chunk->cols; }
  float* momentum(int rank, int64_t i) const { return part(rank).momentum.data() + (first + i) * floatsOn(rank); }
  ScatteredBatch momenta(int rank) const {
    ScatteredBatch all{{}, rowsOn(rank), chunk->cols};
    for (int64_t i = 0; i < count; ++i) all.data.push_back(momentum(rank, i));
    return all;
  }
  float* secondMoment(int rank) const { return part(rank).secondMoment.data() + first * part(rank).momentsPerMatrix; }
};

}  // namespace muonscope
