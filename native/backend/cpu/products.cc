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

struct Gram {
  Matrix c, a;
  Side side;
  float alpha, beta;

  int64_t size() const { return c.rows; }
  int64_t depth() const { return side == Side::rows ? a.cols : a.rows; }

  void check() const {
    const int64_t expected = side == Side::rows ? a.rows : a.cols;
    if (c.rows != expected || c.cols != expected)
      throw std::runtime_error("gram: expected a result [" + std::to_string(expected) + ", " +
                               std::to_string(expected) + "] for " + shape(a) + ", received " + shape(c));
  }

  void whole() const {
    lowerRows(0, size());
    mirrorLower(c, 0, size());
  }

  // The lower triangle's rows [r0, r1): a rectangle left of the diagonal block, and that block's own triangle.
  void lowerRows(int64_t r0, int64_t r1) const {
    if (r0 == r1) return;
    const int n = static_cast<int>(r1 - r0), k = static_cast<int>(depth()), lda = static_cast<int>(a.cols);
    const int ldc = static_cast<int>(c.cols);
    const float* ar = a.data + (side == Side::rows ? r0 * a.cols : r0);
    const bool byRows = side == Side::rows;
    if (r0 > 0)
      cblas_sgemm(CblasRowMajor, byRows ? CblasNoTrans : CblasTrans, byRows ? CblasTrans : CblasNoTrans, n,
                  static_cast<int>(r0), k, alpha, ar, lda, a.data, lda, beta, c.data + r0 * c.cols, ldc);
    cblas_ssyrk(CblasRowMajor, CblasLower, byRows ? CblasNoTrans : CblasTrans, n, k, alpha, ar, lda, beta,
                c.data + r0 * c.cols + r0, ldc);
  }
};

void splitGram(ThreadPool& pool, const Gram& g) {
  if (double(g.size()) * double(g.size()) * double(g.depth()) / 2 < kSplitFrom) return g.whole();
  overBands(pool, g.size(), [&](int64_t r0, int64_t r1) { g.lowerRows(r0, r1); });
  overBands(pool, g.size(), [&](int64_t r0, int64_t r1) { mirrorLower(g.c, r0, r1); });
}

void checkCount(const char* what, int64_t c, int64_t a) {
  if (c != a)
    throw std::runtime_error(std::string(what) + ": expected batches of one length, received " + std::to_string(c) +
                             " results for " + std::to_string(a) + " matrices");
}

}  // namespace

void CpuBackend::matmul(Matrix c, Matrix a, bool transposeA, Matrix b, bool transposeB, float alpha, float beta) {
  const Product p{c, a, b, transposeA, transposeB, alpha, beta};
  p.check();
  splitProduct(pool_, p);
}

void CpuBackend::matmulBatch(Batch c, Batch a, bool transposeA, Batch b, bool transposeB, float alpha, float beta) {
  checkCount("matmulBatch", c.count, a.count);
  checkCount("matmulBatch", c.count, b.count);
  if (c.count == 0) return;
  const auto product = [&](int64_t i) { return Product{c[i], a[i], b[i], transposeA, transposeB, alpha, beta}; };
  product(0).check();
  sideBySide(
      pool_, c.count, [&](int64_t i) { product(i).whole(); }, [&](int64_t i) { splitProduct(pool_, product(i)); });
}

void CpuBackend::gramBatch(Batch c, Batch a, Side side, float alpha, float beta) {
  checkCount("gramBatch", c.count, a.count);
  if (c.count == 0) return;
  const auto gram = [&](int64_t i) { return Gram{c[i], a[i], side, alpha, beta}; };
  gram(0).check();
  sideBySide(
      pool_, c.count, [&](int64_t i) { gram(i).whole(); }, [&](int64_t i) { splitGram(pool_, gram(i)); });
}

int64_t CpuBackend::preferredBatch(int64_t rows, int64_t cols) const {
  // Each lane works through its share of a batch product by product; that share (a matrix and two temporaries of
  // its size) should stay in a core's L2, taken as 512 KiB, and be at least one matrix.
  const int64_t perLane = std::max<int64_t>(1, 512 * 1024 / (3 * 4 * std::max<int64_t>(1, rows * cols)));
  return pool_.lanes() * perLane;
}

}  // namespace muonscope
