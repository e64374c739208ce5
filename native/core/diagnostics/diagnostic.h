// What a diagnostic is: a description and a function from a matrix to a measurement. The list of all is diagnosticList().
#pragma once

#include <optional>
#include <vector>

#include "core/knobs.h"
#include "core/taps.h"

namespace muonscope {

// One matrix shown at one tap; what several diagnostics need of it is computed once, when first asked for.
class Sample {
 public:
  Sample(Backend& backend, Matrix matrix) : backend_(backend), matrix_(matrix) {}

  int64_t rows() const { return matrix_.rows; }
  int64_t cols() const { return matrix_.cols; }
  // Sum of the squared entries.
  double sumSquares();
  // ρ_i = ‖row_i‖·√rows/‖A‖_F, 1 when all rows are equally long; all 0 for a matrix of zeros.
  const std::vector<double>& neuronNorms();

 private:
  const std::vector<double>& rowMeanSquares();

  Backend& backend_;
  Matrix matrix_;
  std::optional<std::vector<double>> rowMeanSquares_;
  std::optional<std::vector<double>> neuronNorms_;
};

// Squared singular values, ascending, min(rows, cols) of them; rounding may leave tiny negative ones.
using SquaredSingularValues = std::vector<double>;

// Fills in values, and edges and moments of a histogram: of the matrix while it is shown, or of its singular values, which may
// be known later.
struct Diagnostic {
  DiagnosticDescription description;
  void (*measure)(Sample& sample, Measurement& out);
  void (*measureSpectrum)(const SquaredSingularValues& squares, Measurement& out) = nullptr;
};

// For diagnostics that yield one number.
inline void setScalar(Measurement& out, double value) { out.values = {value}; }

const std::vector<Diagnostic>& diagnosticList();

}  // namespace muonscope
