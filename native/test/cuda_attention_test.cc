// The CUDA backend's attention, on tensor cores and plain, against double-precision references of the very numbers that it
// was given, which in bf16 are the rounded ones.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cuda/attention_data.cuh"
#include "test/cuda_shim/shim.h"
#include "test/emulated_cuda.h"
#include "test/numeric.h"
#include "test/reference_model.h"
#include "test/test.h"

using namespace muonscope;
using namespace muonscope::test;

namespace {

constexpr double kTolerance = 2e-6;  // of fp32: a few roundings of 6e-8 each, over short sums

// The root mean square of one rounding to bf16, relative: uniform within half a unit, at most 2^-8, of √3 less.
const double kRounding = std::ldexp(1.0, -8) / std::sqrt(3.0);
// Independent roundings that an element of a result went through: q, k, the probability and the result; in the gradients also
// `out` within the mean, the score's gradient, and q or k once more in the product and in the norm.
const double kForwardRoundings = std::sqrt(4.0) * kRounding, kBackwardRoundings = std::sqrt(8.0) * kRounding;

struct Shape {
  int64_t batch, time, heads, headDim;
};

// 1: one token; 7, 65, 130: ragged tiles, and more than one of them; 6, 10, 20: rows that no 16-byte piece fits; 2, 6, 10, 96:
// heads narrower than a tile; 128, 256: the other tiles.
const Shape kPlain[] = {{1, 1, 1, 2},    {2, 7, 3, 6},   {1, 65, 2, 10},  {2, 64, 2, 32},
                        {1, 130, 1, 16}, {2, 66, 1, 64}, {1, 67, 1, 128}, {1, 35, 2, 256}};
const Shape kPlainHalf[] = {{2, 7, 3, 6}, {1, 65, 2, 20}, {1, 66, 1, 96}, {1, 34, 1, 256}};
const Shape kTensor[] = {{1, 1, 1, 64}, {1, 65, 2, 64}, {2, 130, 1, 64}, {1, 200, 1, 128}, {1, 64, 2, 128}};

// One head's vectors of q or k, normalised and rotated, and the way back.
struct Rotated {
  int64_t time, dim;
  Values y, r;

  Rotated(const double* x, int64_t stride, int64_t time, int64_t dim) : time(time), dim(dim) {
    for (int64_t t = 0; t < time; t++, x += stride) {
      double squares = 0;
      for (int64_t d = 0; d < dim; d++) squares += x[d] * x[d];
      r.push_back(1 / std::sqrt(squares / double(dim) + double(std::numeric_limits<float>::epsilon())));
      y.resize((t + 1) * dim);
      for (int64_t d = 0; d < dim / 2; d++) {
        const double c = std::cos(angle(t, d)), s = std::sin(angle(t, d)), u = x[d] * r[t], v = x[d + dim / 2] * r[t];
        y[t * dim + d] = u * c + v * s;
        y[t * dim + d + dim / 2] = v * c - u * s;
      }
    }
  }
  double angle(int64_t t, int64_t d) const { return double(t) * std::pow(10000.0, -2 * double(d) / double(dim)); }
  void backward(double* dx, int64_t stride, const Values& dy) const {
    for (int64_t t = 0; t < time; t++, dx += stride) {
      const double *g = dy.data() + t * dim, *z = y.data() + t * dim;
      double radial = 0;
      for (int64_t d = 0; d < dim; d++) radial += g[d] * z[d] / double(dim);
      for (int64_t d = 0; d < dim / 2; d++) {
        const double c = std::cos(angle(t, d)), s = std::sin(angle(t, d));
        const double u = r[t] * (g[d] - radial * z[d]), v = r[t] * (g[d + dim / 2] - radial * z[d + dim / 2]);
        dx[d] = u * c - v * s;
        dx[d + dim / 2] = u * s + v * c;
      }
    }
  }
};

Values referenceGradient(const Values& qkv, const Values& dOut, const Shape& s) {
  const int64_t time = s.time, dim = s.headDim, width = s.heads * dim, stride = 3 * width;
  Values gradient(qkv.size());
  for (int64_t head = 0; head < s.batch * s.heads; head++) {
    const int64_t at = head / s.heads * time * stride + head % s.heads * dim;
    const Rotated q(qkv.data() + at, stride, time, dim), k(qkv.data() + at + width, stride, time, dim);
    Values dq(time * dim), dk(time * dim);
    for (int64_t i = 0; i < time; i++) {
      const double* g = dOut.data() + (head / s.heads * time + i) * width + head % s.heads * dim;
      Values p(i + 1), dp(i + 1);
      double sum = 0, mean = 0;
      for (int64_t j = 0; j <= i; j++) {
        const double* v = qkv.data() + at + 2 * width + j * stride;
        double score = 0;
        for (int64_t d = 0; d < dim; d++) score += q.y[i * dim + d] * k.y[j * dim + d], dp[j] += g[d] * v[d];
        sum += p[j] = std::exp(score / std::sqrt(double(dim)));
      }
      for (int64_t j = 0; j <= i; j++) mean += (p[j] /= sum) * dp[j];
      for (int64_t j = 0; j <= i; j++) {
        const double ds = p[j] * (dp[j] - mean) / std::sqrt(double(dim));
        for (int64_t d = 0; d < dim; d++) {
          gradient[at + 2 * width + j * stride + d] += p[j] * g[d];
          dq[i * dim + d] += ds * k.y[j * dim + d];
          dk[j * dim + d] += ds * q.y[i * dim + d];
        }
      }
    }
    q.backward(gradient.data() + at, stride, dq);
    k.backward(gradient.data() + at + width, stride, dk);
  }
  return gradient;
}

// What attention and its gradient yield; every buffer full of NaN before.
struct Run {
  std::vector<float> qkv, dOut, out, gradient;

  Run(const std::string& precision, const Shape& s, float poison = 0, int64_t poisonAt = 0) {
    const auto backend = makeEmulatedCudaBackend(precision);
    const int64_t tokens = s.batch * s.time, width = s.heads * s.headDim, bytes = backend->info().computeBytes;
    std::vector<float*> buffers;
    const auto upload = [&](const std::vector<float>& x) {
      buffers.push_back(backend->allocate(static_cast<int64_t>(x.size())));
      backend->upload(buffers.back(), x.data(), static_cast<int64_t>(x.size()));
      return buffers.back();
    };
    const auto compute = [&](int64_t cols) {
      return ComputeMatrix{upload(std::vector<float>((tokens * cols * bytes + 3) / 4, NAN)), tokens, cols};
    };
    const auto download = [&](ComputeMatrix x) {
      std::vector<float> y(x.size());
      const Batch to{upload(y), 1, x.rows, x.cols, x.size()};
      backend->fromCompute(to, {x.data, 1, x.rows, x.cols});
      backend->download(y.data(), to.data, x.size());
      return y;
    };
    qkv = randomFloats(tokens * 3 * width, "qkv");
    dOut = randomFloats(tokens * width, "dOut");
    if (poison != 0) qkv[poisonAt] = poison;
    std::vector<float> cosines, sines;
    for (int64_t t = 0; t < s.time; t++)
      for (int64_t d = 0; d < s.headDim / 2; d++) {
        const double angle = double(t) * std::pow(10000.0, -2 * double(d) / double(s.headDim));
        cosines.push_back(static_cast<float>(std::cos(angle)));
        sines.push_back(static_cast<float>(std::sin(angle)));
      }
    const Backend::Attention a{s.batch, s.time, s.heads, s.headDim, upload(cosines), upload(sines)};
    const ComputeMatrix x = compute(3 * width), y = compute(width), dy = compute(width), dx = compute(3 * width);
    backend->toCompute(x, {upload(qkv), tokens, 3 * width});
    backend->toCompute(dy, {upload(dOut), tokens, width});
    float* saved = upload(std::vector<float>(backend->attentionWorkspace(a), NAN));
    backend->attention(y, x, saved, a);
    backend->attentionBackward(dx, dy, y, x, saved, a);
    qkv = download(x), dOut = download(dy), out = download(y), gradient = download(dx);
    cudaShim::checkGuards();
    for (float* p : buffers) backend->release(p);
  }
};

// Columns of part 0 (q), 1 (k) or 2 (v).
template <class Vector>
Vector part(const Vector& qkv, int64_t index, int64_t width) {
  Vector x;
  for (auto row = qkv.begin(); row != qkv.end(); row += 3 * width)
    x.insert(x.end(), row + index * width, row + (index + 1) * width);
  return x;
}

void checkRun(const std::string& precision, const Shape& s, double forward, double backward) {
  const Run run(precision, s);
  const Values qkv = toDouble(run.qkv);
  CHECK_LE(relativeError(run.out, referenceAttention(qkv, s.batch, s.time, s.heads, s.headDim)), forward);
  const Values expected = referenceGradient(qkv, toDouble(run.dOut), s);
  CHECK_LE(relativeError(run.gradient, expected), backward);
  const int64_t width = s.heads * s.headDim;
  for (int64_t i = s.time > 1 ? 0 : 2; i < 3; i++)  // of a single token, q and k have no gradient
    CHECK_LE(relativeError(part(run.gradient, i, width), part(expected, i, width)), backward);
}

bool finite(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float f) { return std::isfinite(f); });
}

}  // namespace

TEST("cuda attention: the reference of the gradient against central differences") {
  const Shape s{1, 5, 2, 6};
  auto qkv = toDouble(randomFloats(5 * 36, "qkv"));
  const auto dOut = toDouble(randomFloats(5 * 12, "dOut"));
  const auto differences = centralDifferences(qkv, [&] {
    const Values out = referenceAttention(qkv, s.batch, s.time, s.heads, s.headDim);
    double sum = 0;
    for (size_t i = 0; i < out.size(); i++) sum += out[i] * dOut[i];
    return sum;
  });
  CHECK_LE(relativeError(referenceGradient(qkv, dOut, s), differences), 1e-8);  // of numeric.h's 1e-10, over gradients below 1
}

TEST("cuda attention: plain, against a double-precision reference") {
  for (const Shape& s : kPlain) checkRun("fp32", s, kTolerance, kTolerance);
  for (const Shape& s : kPlainHalf) checkRun("bf16", s, kForwardRoundings, kBackwardRoundings);
}

TEST("cuda attention: on tensor cores, against a double-precision reference") {
  for (const Shape& s : kTensor) checkRun("bf16", s, kForwardRoundings, kBackwardRoundings);
}

TEST("cuda attention: neither the order of threads and blocks nor a second run changes a bit") {
  const std::pair<const char*, Shape> runs[] = {{"fp32", {1, 66, 1, 10}}, {"bf16", {1, 130, 2, 64}}, {"bf16", {1, 66, 1, 128}}};
  for (const auto& [precision, shape] : runs) {
    const Run first(precision, shape);
    for (const auto order : {cudaShim::Order::ascending, cudaShim::Order::descending, cudaShim::Order::shuffled}) {
      cudaShim::setOrder(order, 3);
      const Run again(precision, shape);
      cudaShim::setOrder(cudaShim::Order::ascending);
      CHECK(first.out == again.out);
      CHECK(first.gradient == again.gradient);
    }
  }
}

TEST("cuda attention: NaN is passed on to what depends on it, and not to other heads") {
  for (const auto& [precision, dim] : {std::pair<const char*, int64_t>{"fp32", 10}, {"bf16", 64}, {"bf16", 128}}) {
    const Shape s{1, 70, 2, dim};
    const int64_t width = 2 * dim, token = 66;
    for (int64_t index = 0; index < 3; index++) {
      const Run run(precision, s, NAN, (token * 3 + index) * width + dim + 1);  // an element of the second head
      const float *row = run.out.data() + token * width, *last = run.out.data() + 69 * width;
      CHECK(std::isnan(row[dim + 1]));
      CHECK_EQ(std::isnan(last[dim + 1]), index > 0);
      CHECK(finite({row, row + dim}) && finite({last, last + dim}));
      const float* gradient = run.gradient.data() + token * 3 * width;
      CHECK(std::isnan(gradient[dim + 1]));
      CHECK(finite({gradient, gradient + dim}));
    }
  }
}

TEST("cuda attention: every tile of every head has its block, long ones first within a section") {
  for (const cuda::BlockOrder order : {cuda::BlockOrder{7, 3, 3}, {6, 4, 2}, {5, 1, 5}, {1, 9, 1}}) {
    std::vector<int> seen(order.heads * order.tiles);
    int before = 0;
    for (int block = 0; block < order.heads * order.tiles; block++) {
      const auto [head, rank] = order.place(block);
      CHECK(head >= 0 && head < order.heads && rank >= 0 && rank < order.tiles);
      CHECK_EQ(seen[head * order.tiles + rank]++, 0);
      const int at = head / order.section * order.tiles + rank;
      CHECK_LE(before, at);
      before = at;
    }
  }
}

TEST("cuda attention: refuses shapes that do not fit, and has nothing to do for none") {
  const auto backend = makeEmulatedCudaBackend("fp32");
  Backend::Attention a{1, 4, 1, 4, nullptr, nullptr};
  CHECK_THROWS(backend->attention({nullptr, 4, 4}, {nullptr, 4, 8}, nullptr, a), "expected qkv [4, 12]");
  CHECK_THROWS(backend->attention({nullptr, 3, 4}, {nullptr, 4, 12}, nullptr, a), "expected out [4, 4]");
  const ComputeMatrix narrow{nullptr, 4, 4};
  CHECK_THROWS(backend->attentionBackward(narrow, narrow, narrow, {nullptr, 4, 12}, nullptr, a), "expected dQkv [4, 12]");
  float number;
  void* beside = reinterpret_cast<char*>(&number) - reinterpret_cast<uintptr_t>(&number) % 16 + 4;
  CHECK_THROWS(backend->attention({beside, 4, 4}, {nullptr, 4, 12}, nullptr, a), "aligned to 16 bytes");
  for (const int64_t dim : {3, 258, 0}) {
    a.headDim = dim;
    CHECK_THROWS(backend->attention({nullptr, 4, dim}, {nullptr, 4, 3 * dim}, nullptr, a), "even head dimension");
  }
  a = {0, 4, 1, 4, nullptr, nullptr};
  backend->attention({nullptr, 0, 4}, {nullptr, 0, 12}, nullptr, a);
  backend->attentionBackward({nullptr, 0, 12}, {nullptr, 0, 4}, {nullptr, 0, 4}, {nullptr, 0, 12}, nullptr, a);
}
