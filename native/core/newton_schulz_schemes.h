// The polynomials that Newton–Schulz orthogonalisation iterates, as data.
#pragma once

#include <string>
#include <vector>

namespace muonscope {

// One iteration: X ← a·X + b·(X·Xᵀ)·X + c·(X·Xᵀ)²·X.
struct NewtonSchulzStep {
  double a, b, c;
};

struct NewtonSchulzScheme {
  std::string id;
  std::string title;
  std::string source;
  double safety;  // the input is divided by its Frobenius norm times this
  std::vector<NewtonSchulzStep> steps;
};

const std::vector<NewtonSchulzScheme>& newtonSchulzSchemes();

}  // namespace muonscope
