// Softmax, negative log-likelihood and its gradient: each row of logits is read once and, with its gradient, written once.
#include <cfloat>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/pack.cuh"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/shared_memory.cuh"

namespace muonscope::cuda {
namespace {

constexpr int mostThreads = 512;  // of a row
constexpr int rowsAtOnce = 2;     // in a multiprocessor's registers; two rows of 50,304 bf16 logits fit its shared memory
// Packs that a thread waits for at a time: 32 KiB for 512 threads, more than a multiprocessor's part of H100's 3.35 TB/s times
// 0.8 µs of latency (20 KiB).
constexpr int inFlight = 4;
constexpr int meanThreads = 1024;

// What comes after a row's maximum and sum are known.
enum class Gradient {
  none,
  fromShared,  // the row was kept in shared memory
  fromMemory   // the row is too long for that
};

// A row [cols] as packs and, where its ends are not aligned, single numbers: `head` before the packs and the rest after.
template <class T>
struct Row {
  static constexpr int N = packWidth<T>;
  T* data;
  int head, packs, singles;

  __device__ Row(T* row, int cols) : data(row) {
    const int misaligned = static_cast<int>(reinterpret_cast<uintptr_t>(row) % accessBytes / sizeof(T));
    head = min((N - misaligned) % N, cols);
    packs = (cols - head) / N;
    singles = cols - packs * N;
  }
  __device__ Pack<T, N>* body() const { return asPacks<N>(data + head); }
  __device__ int single(int i) const { return i < head ? i : i + packs * N; }
};

// For bf16 within 2 + 1.2·|x| units in the last place (CUDA C++ Programming Guide, "Intrinsic Functions"): far less than
// the rounding of the logits themselves, in half the instructions.
template <class T>
__device__ float exponential(float x) {
  if constexpr (std::is_same_v<T, bf16>)
    return __expf(x);
  else
    return expf(x);
}

// Maximum and Σ e^(x − maximum) of the numbers added so far. Σ is NaN once one of them is NaN or +∞.
template <class T>
struct LogSum {
  float largest = -FLT_MAX;  // not −∞, of which e^(x − largest) would be NaN
  float sum = 0;

  template <int N>
  __device__ void add(const Pack<T, N>& x) {
    float most = largest;
#pragma unroll
    for (int k = 0; k < N; k++) most = fmaxf(most, toFloat(x.x[k]));
    sum *= exponential<T>(largest - most);
    largest = most;
#pragma unroll
    for (int k = 0; k < N; k++) sum += exponential<T>(toFloat(x.x[k]) - largest);
  }

  // Over all threads of the block.
  __device__ void combine(float* shared) {
    const float most = blockMax(largest, shared);
    sum = blockSum(sum * exponential<T>(largest - most), shared);
    largest = most;
  }
};

// losses[i] = log Σ_j e^x_ij − x_i,target. With a gradient, x_ij becomes factor·(softmax(x_i)_j − [j = target]).
template <class T, Gradient gradient>
__global__ void __launch_bounds__(mostThreads, rowsAtOnce) rowLosses(double* losses, T* x, const int32_t* targets, int64_t rows,
                                                                     int cols, float factor) {
  constexpr int N = packWidth<T>;
  __shared__ float shared[warpSize32];
  auto* kept = sharedMemory<Pack<T, N>>();
  const int step = blockDim.x, first = threadIdx.x;
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const Row<T> row(x + i * cols, cols);
    const int target = targets[i];
    const float atTarget = toFloat(row.data[target]);  // before any thread writes: the sums below wait for all
    auto* body = row.body();

    LogSum<T> total;
    for (int p = first; p < row.packs; p += inFlight * step) {
      Pack<T, N> packs[inFlight] = {};
#pragma unroll
      for (int k = 0; k < inFlight; k++)
        if (p + k * step < row.packs) packs[k] = body[p + k * step];
#pragma unroll
      for (int k = 0; k < inFlight; k++)
        if (p + k * step < row.packs) {
          if constexpr (gradient == Gradient::fromShared) kept[p + k * step] = packs[k];
          total.add(packs[k]);
        }
    }
    for (int s = first; s < row.singles; s += step) total.add(Pack<T, 1>{{row.data[row.single(s)]}});
    total.combine(shared);
    if (first == 0) losses[i] = log(static_cast<double>(total.sum)) + total.largest - atTarget;

    if constexpr (gradient != Gradient::none) {
      const float scale = factor / total.sum;
      const auto value = [&](T logit) { return exponential<T>(toFloat(logit) - total.largest) * scale; };
      // Each thread reads what it kept itself.
      for (int p = first; p < row.packs; p += step) {
        auto pack = gradient == Gradient::fromShared ? kept[p] : body[p];
        const int at = target - row.head - p * N;
#pragma unroll
        for (int k = 0; k < N; k++) {
          const float likelihood = value(pack.x[k]);
          pack.x[k] = fromFloat<T>(k == at ? likelihood - factor : likelihood);
        }
        body[p] = pack;
      }
      for (int s = first; s < row.singles; s += step) {
        const int j = row.single(s);
        const float likelihood = value(row.data[j]);
        row.data[j] = fromFloat<T>(j == target ? likelihood - factor : likelihood);
      }
    }
  }
}

// One block, so that the order of the sum depends on n alone.
__global__ void __launch_bounds__(meanThreads) mean(double* out, const double* x, int64_t n) {
  __shared__ double shared[warpSize32];
  double sum = 0;
#pragma unroll 4
  for (int64_t i = threadIdx.x; i < n; i += meanThreads) sum += x[i];
  sum = blockSum(sum, shared);
  if (threadIdx.x == 0) *out = sum / static_cast<double>(n);
}

int64_t sharedBytesPerBlock(int device) {
  int bytes = 0;
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "asking for the size of shared memory");
  return bytes;
}

}  // namespace

void CudaBackend::crossEntropy(double* loss, ComputeMatrix logits, const int32_t* targets, bool gradient, float scale) {
  double* losses = scratch_->get<double>(logits.rows);
  const float factor = scale / static_cast<float>(logits.rows);
  withComputeType(computeBytes(), [&](auto type) {
    using T = decltype(type);
    const int64_t packs = logits.cols / packWidth<T>, rowBytes = packs * accessBytes;
    const auto threads = static_cast<unsigned>(
        std::clamp<int64_t>(ceilDiv(packs, inFlight * warpSize32) * warpSize32, warpSize32, mostThreads));
    const auto start = [&](auto kernel, int64_t sharedBytes) {
      cuda::launch(stream_, kernel, gridFor(stream_, logits.rows, 1), threads, static_cast<size_t>(sharedBytes), losses,
                   static_cast<T*>(logits.data), targets, logits.rows, logits.cols, factor);
    };
    // 128 bytes of the block's shared memory are those of the sums.
    if (!gradient)
      start(rowLosses<T, Gradient::none>, 0);
    else if (rowBytes + static_cast<int64_t>(warpSize32 * sizeof(float)) <= sharedBytesPerBlock(stream_.device))
      start(rowLosses<T, Gradient::fromShared>, rowBytes);
    else
      start(rowLosses<T, Gradient::fromMemory>, 0);
  });
  cuda::launch(stream_, mean, 1, meanThreads, 0, loss, static_cast<const double*>(losses), logits.rows);
}

}  // namespace muonscope::cuda
