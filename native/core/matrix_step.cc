#include "core/matrix_step.h"

#include <algorithm>
#include <cmath>

namespace muonscope {

MatrixStep::MatrixStep(const Ranks& ranks, int lane, int place, const std::vector<MatrixChunk>& chunks,
                       const std::vector<Parameter>& parameters)
    : ranks_(ranks), lane_(lane), parameters_(parameters), newtonSchulz_(ranks.at(place, lane)) {
  int64_t largest = 0, most = 0, columns = 0;
  std::vector<int64_t> mostOfRank(static_cast<size_t>(ranks.count()));
  for (const MatrixChunk& chunk : chunks) {
    if (ranks.placeOf(chunk.owner) != place) continue;
    const auto count = static_cast<int64_t>(chunk.members.size());
    largest = std::max(largest, count * chunk.rows * chunk.cols);
    most = std::max(most, count);
    if (chunk.statistic == Statistic::columns) columns = std::max(columns, count * chunk.cols);
    for (size_t rank = 0; rank < mostOfRank.size(); ++rank)
      mostOfRank[rank] = std::max(mostOfRank[rank], chunk.parts[rank].momentum.size());
    newtonSchulz_.reserve(count, chunk.rows, chunk.cols);
  }
  batch_.emplace(ranks.at(place, lane), largest);
  secondMoment_.emplace(ranks, lane, columns);
  scale_.emplace(ranks, lane, most);
  for (int rank = 0; ranks.count() > 1 && rank < ranks.count(); ++rank) {
    rows_.emplace_back(of(rank), mostOfRank[static_cast<size_t>(rank)]);
    directions_.emplace_back(of(rank), mostOfRank[static_cast<size_t>(rank)]);
  }
}

Batch MatrixStep::whole(const Run& run) const {
  return {batch_->data(), run.count, run.chunk->rows, run.chunk->cols, run.chunk->rows * run.chunk->cols};
}

// One rank works on the whole matrices in place.
Batch MatrixStep::rowsOf(const Run& run, int rank) const {
  float* data = directions_.empty() ? batch_->data() : directions_[static_cast<size_t>(rank)].data();
  return {data, run.count, run.rowsOn(rank), run.chunk->cols, run.floatsOn(rank)};
}

float* MatrixStep::weights(const Run& run, int rank, int64_t i) const {
  return run.rowsOfWhole(parameters_[run.member(i)].weight.data, rank);
}

float* MatrixStep::fetchedWeights(const Run& run, int rank, int64_t i) const {
  return rows_[static_cast<size_t>(rank)].data() + i * run.floatsOn(rank);
}

std::vector<Batch> MatrixStep::rowsByRank(const Run& run) const {
  std::vector<Batch> all;
  for (int rank = 0; rank < ranks_.count(); ++rank) all.push_back(rowsOf(run, rank));
  return all;
}

void MatrixStep::updateMomentum(const Run& run, const Context& context) {
  showOfModel(run, Tap::gradient, context.listener, &Parameter::gradient);
  Transport transport(ranks_, lane_, context.costs);
  for (int rank = 0; rank < ranks_.count(); ++rank) {
    ScatteredBatch gradients{{}, run.rowsOn(rank), run.chunk->cols};
    for (int64_t i = 0; i < run.count; ++i) {
      const int64_t floats = run.floatsOn(rank);
      float* gradient = run.rowsOfWhole(parameters_[run.member(i)].gradient.data, rank);
      if (ranks_.count() > 1) {
        float* shard = rows_[static_cast<size_t>(rank)].data() + i * floats;
        transport.receive(Phase::reduceScatter, rank, shard, gradient, floats);
        gradient = shard;
      }
      gradients.data.push_back(gradient);
    }
    const auto timer = context.costs.time(Phase::momentum, rank, of(rank));
    of(rank).momentum(rowsOf(run, rank), run.momenta(rank), gradients, static_cast<float>(run.settings->beta1), run.settings->nesterov);
  }
  show(run, Tap::momentum, context.listener, [&](int64_t i) { return ranks_.count() == 1 ? run.momentum(0, i) : nullptr; },
       [&](float* to, int rank, int64_t i) { ranks_.home().copy(to, run.momentum(rank, i), run.floatsOn(rank)); });
  if (!run.settings->normalizeBefore) return;
  secondMoment_->apply(run, rowsByRank(run), context.costs);
  showRows(run, Tap::normalized, context.listener);
}

void MatrixStep::gather(const Run& run, const Context& context) {
  ranks_.gather(ranks_.placeOf(run.chunk->owner), lane_);
  Transport transport(ranks_, lane_, context.costs);
  const Batch to = whole(run);
  for (int rank = 0; rank < ranks_.count(); ++rank)
    for (int64_t i = 0; i < run.count; ++i)
      transport.send(Phase::gather, rank, run.chunk->owner, run.rowsOfWhole(to[i].data, rank), rowsOf(run, rank)[i].data,
                     run.floatsOn(rank));
}

void MatrixStep::orthogonalize(const Run& run, const Context& context) {
  const Batch x = whole(run);
  Backend& owner = of(run.chunk->owner);
  {
    const auto timer = context.costs.time(Phase::orthogonalize, run.chunk->owner, owner);
    if (run.settings->orthogonalize) {
      newtonSchulz_.orthogonalize(x, *run.settings->scheme);
    } else {
      owner.normalize(x, x, std::sqrt(static_cast<double>(std::min(x.rows, x.cols))), smallestNorm);
    }
  }
  const bool isHere = ranks_.placeOf(run.chunk->owner) == 0;
  show(run, Tap::orthogonalized, context.listener, [&](int64_t i) { return isHere ? x[i].data : nullptr; },
       [&](float* to, int rank, int64_t i) { ranks_.home().copy(to, run.rowsOfWhole(x[i].data, rank), run.floatsOn(rank)); });
}

void MatrixStep::fetchWeights(const Run& run, const Context& context) {
  Transport transport(ranks_, lane_, context.costs);
  for (int rank = 0; rank < ranks_.count(); ++rank)
    for (int64_t i = 0; transport.isAway(rank) && i < run.count; ++i)
      transport.fetch(rank, fetchedWeights(run, rank, i), weights(run, rank, i), run.floatsOn(rank));
}

void MatrixStep::scatter(const Run& run, const Context& context) {
  ranks_.spread(ranks_.placeOf(run.chunk->owner), lane_);
  Transport transport(ranks_, lane_, context.costs);
  const Batch from = whole(run);
  for (int rank = 0; rank < ranks_.count(); ++rank)
    for (int64_t i = 0; i < run.count; ++i)
      transport.send(Phase::scatter, run.chunk->owner, rank, rowsOf(run, rank)[i].data, run.rowsOfWhole(from[i].data, rank),
                     run.floatsOn(rank));
}

void MatrixStep::normalize(const Run& run, const Context& context) {
  const std::vector<Batch> x = rowsByRank(run);
  const MatrixSettings& settings = *run.settings;
  if (!settings.normalizeBefore) {
    if (settings.preserve && settings.normalize) scale_->takeBefore(run, x, context.costs);
    secondMoment_->apply(run, x, context.costs);
    showRows(run, Tap::normalized, context.listener);
  }
  scale_->compute(run, x, context.costs);
}

void MatrixStep::apply(const Run& run, const Context& context) {
  const auto step = static_cast<float>(eta(run, context));
  show(run, Tap::update, context.listener, [](int64_t) -> float* { return nullptr; }, [&](float* to, int rank, int64_t i) {
    if (!factor_) factor_.emplace(ranks_.home(), 1);
    ranks_.home().copy(factor_->data(), scale_->of(rank) + i, 1);
    ranks_.home().copy(to, rowsOf(run, rank)[i].data, run.floatsOn(rank));
    ranks_.home().scaled(to, to, step, factor_->data(), run.floatsOn(rank));
  });
  Transport transport(ranks_, lane_, context.costs);
  for (int rank = 0; rank < ranks_.count(); ++rank) {
    const bool isAway = transport.isAway(rank);
    ScatteredBatch rows{{}, run.rowsOn(rank), run.chunk->cols};
    for (int64_t i = 0; i < run.count; ++i) rows.data.push_back(isAway ? fetchedWeights(run, rank, i) : weights(run, rank, i));
    {
      const auto timer = context.costs.time(Phase::apply, rank, of(rank));
      of(rank).decayAndUpdate(rows, rowsOf(run, rank), static_cast<float>(eta(run, context) * run.settings->weightDecay), step,
                              scale_->of(rank));
    }
    for (int64_t i = 0; isAway && i < run.count; ++i)
      transport.giveBack(rank, weights(run, rank, i), fetchedWeights(run, rank, i), run.floatsOn(rank));
  }
  showOfModel(run, Tap::weight, context.listener, &Parameter::weight);
}

template <class Source, class Assemble>
void MatrixStep::show(const Run& run, Tap tap, TapListener* listener, const Source& source, const Assemble& assemble) {
  if (!listener) return;
  const int64_t rows = run.chunk->rows, cols = run.chunk->cols;
  for (int64_t i = 0; i < run.count; ++i) {
    const std::string& name = parameters_[run.member(i)].name;
    if (!listener->wants(tap, name)) continue;
    ranks_.join();
    float* matrix = source(i);
    if (!matrix) {
      if (!shown_ || shown_->size() < rows * cols) shown_.emplace(ranks_.home(), rows * cols);
      matrix = shown_->data();
      for (int rank = 0; rank < ranks_.count(); ++rank) assemble(run.rowsOfWhole(matrix, rank), rank, i);
    }
    listener->show(tap, name, {matrix, rows, cols});
    ranks_.fork();
  }
}

void MatrixStep::showOfModel(const Run& run, Tap tap, TapListener* listener, Matrix Parameter::*which) {
  show(run, tap, listener, [&](int64_t i) { return (parameters_[run.member(i)].*which).data; }, [](float*, int, int64_t) {});
}

void MatrixStep::showRows(const Run& run, Tap tap, TapListener* listener) {
  show(run, tap, listener, [&](int64_t i) { return ranks_.count() == 1 ? rowsOf(run, 0)[i].data : nullptr; },
       [&](float* to, int rank, int64_t i) { ranks_.home().copy(to, rowsOf(run, rank)[i].data, run.floatsOn(rank)); });
}

}  // namespace muonscope
