// Matrix products: BLAS does one part on one thread, the pool runs the parts side by side.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/split.h"

namespace muonscope {
namespace {

std::string shape(Matrix m, bool transposed = false) {
  return "[" + std::to_string(m.rows) + ", " + std::to_string(m.cols) + "]" + (transposed ? "ᵀ" : "");
}

struct Product {
  Matrix c, a, b;
  bool transposeA, transposeB;
  float alpha, beta;

  int64_t m() const { return c.rows; }
  int64_t n() const { return c.cols; }
  int64_t k() const { return transposeA ? a.rows : a.cols; }

  void check() const {
    const int64_t aRows = transposeA ? a.cols : a.rows;
    const int64_t bRows = transposeB ? b.cols : b.rows, bCols = transposeB ? b.rows : b.cols;
    if (aRows != m() || bCols != n() || bRows != k())
      throw std::runtime_error("matmul: expected shapes that fit, received " + shape(c) + " = " +
                               shape(a, transposeA) + "·" + shape(b, transposeB));
  }

  // The part of C in rows [r0, r1) and columns [c0, c1), on this thread.
  void part(int64_t r0, int64_t r1, int64_t c0, int64_t c1) const {
    if (r0 == r1 || c0 == c1) return;
    cblas_sgemm(CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
                static_cast<int>(r1 - r0), static_cast<int>(c1 - c0), static_cast<int>(k()), alpha,
                a.data + (transposeA ? r0 : r0 * a.cols), static_cast<int>(a.cols),
                b.data + (transposeB ? c0 * b.cols : c0), static_cast<int>(b.cols), beta,
                c.data + r0 * c.cols + c0, static_cast<int>(c.cols));
  }

  void whole() const { part(0, m(), 0, n()); }
};

int64_t border(int64_t size, int64_t part, int64_t parts) {
  if (part == parts) return size;
  return std::min(size, (size * part / parts + kAlign / 2) / kAlign * kAlign);
}

// How many parts C's rows (and lanes / that: its columns) are cut into: as square parts as the number of lanes
// allows, since each part packs its rows of A and its columns of B.
int64_t rowParts(int64_t m, int64_t n, int64_t lanes) {
  int64_t best = 1;
  double bestCost = INFINITY;
  for (int64_t parts = 1; parts <= lanes; parts++) {
    if (lanes % parts) continue;
    const double cost = double(m) / double(parts) + double(n) * double(parts) / double(lanes);
    if (cost < bestCost) bestCost = cost, best = parts;
  }
  return best;
}

void splitProduct(ThreadPool& pool, const Product& p) {
  if (double(p.m()) * double(p.n()) * double(p.k()) < kSplitFrom) return p.whole();
  const int64_t lanes = pool.lanes(), rows = rowParts(p.m(), p.n(), lanes), cols = lanes / rows;
  pool.parallelFor(lanes, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t r = i % rows, c = i / rows;
      p.part(border(p.m(), r, rows), border(p.m(), r + 1, rows), border(p.n(), c, cols), border(p.n(), c + 1, cols));
    }
  });
}

}  // namespace

void CpuBackend::matmul(Matrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB, float alpha, float beta) {
  const Product p{c, fp32(a), fp32(b), transposeA, transposeB, alpha, beta};
  p.check();
  splitProduct(pool_, p);
}

void CpuBackend::matmul(ComputeMatrix d, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) {
  matmul(fp32(d), a, transposeA, b, transposeB, 1, 0);
}

void CpuBackend::matmulAdd(ComputeMatrix d, ComputeMatrix c, ComputeMatrix a, bool transposeA, ComputeMatrix b, bool transposeB) {
  if (d.rows != c.rows || d.cols != c.cols)
    throw std::runtime_error("matmulAdd: expected a summand of the result's shape " + shape(fp32(d)) + ", received " + shape(fp32(c)));
  copy(fp32(d).data, fp32(c).data, d.size());
  matmul(fp32(d), a, transposeA, b, transposeB, 1, 1);
}

void CpuBackend::multiply(ComputeBatch c, ComputeBatch a, ComputeBatch b) {
  if (c.count != a.count || c.count != b.count)
    throw std::runtime_error("multiply: expected batches of one length, received " + std::to_string(c.count) + " results for " +
                             std::to_string(a.count) + " and " + std::to_string(b.count) + " matrices");
  if (c.count == 0) return;
  const auto product = [&](int64_t i) { return Product{fp32(c)[i], fp32(a)[i], fp32(b)[i], false, false, 1, 0}; };
  product(0).check();
  sideBySide(
      pool_, c.count, [&](int64_t i) { product(i).whole(); }, [&](int64_t i) { splitProduct(pool_, product(i)); });
}

}  // namespace muonscope
