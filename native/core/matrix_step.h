// One run of matrices through Muon's and NorMuon's pipeline, stage by stage, on one lane of the ranks:
//
//     M ← β1·M + (1 − β1)·G                      each rank its rows
//     U = nesterov ? (1 − β1)·G + β1·M : M
//     O = orthogonalize ? NewtonSchulz(U) : U·√min(m, n)/‖U‖     the owner, which gathers U and scatters O
//     v ← β2·v + (1 − β2)·mean square of O        each rank its rows (of U, and before O, when placed before)
//     Ô = normalize ? O/(√v + ε) : O
//     W ← W − η·λ·W − η·s·Ô
#pragma once

#include <optional>
#include <vector>

#include "core/matrix_chunk.h"
#include "core/newton_schulz.h"
#include "core/second_moment.h"
#include "core/step_costs.h"
#include "core/taps.h"
#include "core/update_scale.h"

namespace muonscope {

class MatrixStep {
 public:
  // What it is told with each stage.
  struct Context {
    double lrScale;
    TapListener* listener;  // may be null
    StepCosts& costs;
  };

  // Working memory for runs of those `chunks` whose owners are at `place`.
  MatrixStep(const Ranks& ranks, int lane, int place, const std::vector<MatrixChunk>& chunks, const std::vector<Parameter>& parameters);

  // The stages, in this order. Those of several objects may be called in turn: what then stands between two stages of one
  // is work that goes on meanwhile on another device.
  void updateMomentum(const Run& run, const Context& context);  // of each rank
  void gather(const Run& run, const Context& context);          // from all ranks to the owner
  void orthogonalize(const Run& run, const Context& context);   // at the owner
  void fetchWeights(const Run& run, const Context& context);    // of each rank that is away
  void scatter(const Run& run, const Context& context);         // from the owner to all ranks
  void normalize(const Run& run, const Context& context);       // of each rank, and the factor of the update
  void apply(const Run& run, const Context& context);           // of each rank

 private:
  Backend& of(int rank) const { return ranks_.of(rank, lane_); }
  Batch whole(const Run& run) const;
  // A rank's rows of matrix i's weights: the model's, and, where the rank is away, those that it works on.
  float* weights(const Run& run, int rank, int64_t i) const;
  float* fetchedWeights(const Run& run, int rank, int64_t i) const;
  Batch rowsOf(const Run& run, int rank) const;
  std::vector<Batch> rowsByRank(const Run& run) const;
  double eta(const Run& run, const Context& context) const { return run.settings->lr * context.lrScale; }

  // Shows each matrix of the run that the listener wants: the one at source(i), in the model's memory, or, where that is
  // null, what assemble(to, rank, i) puts together from the ranks' rows.
  template <class Source, class Assemble>
  void show(const Run& run, Tap tap, TapListener* listener, const Source& source, const Assemble& assemble);
  // The model's own matrices; the ranks' rows.
  void showOfModel(const Run& run, Tap tap, TapListener* listener, Matrix Parameter::*which);
  void showRows(const Run& run, Tap tap, TapListener* listener);

  const Ranks& ranks_;
  int lane_;
  const std::vector<Parameter>& parameters_;
  NewtonSchulz newtonSchulz_;
  std::optional<SecondMoment> secondMoment_;
  std::optional<UpdateScale> scale_;
  std::optional<DeviceBuffer> batch_;      // the owner's: whole matrices of one run
  // By rank, when there are several: its rows of the gradients and then, where it is away, of the weights.
  std::vector<DeviceBuffer> rows_;
  std::vector<DeviceBuffer> directions_;   // by rank, likewise: its rows of U, O and Ô in turn
  std::optional<DeviceBuffer> shown_, factor_;  // in the model's memory, when something is shown
};

}  // namespace muonscope
