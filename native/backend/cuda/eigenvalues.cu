// Gram matrices formed in fp64 (an fp32 one loses singular values below about 3e-4 of the largest), whose eigenvalues threads of
// the host work out.
#include <algorithm>
#include <vector>

#include "backend/cuda/cuda_backend.h"

namespace muonscope::cuda {
namespace {

constexpr int tile = 32;           // rows and columns of the Gram matrix that a block computes, and how deep it goes at a time
constexpr int side = tile / 2;     // threads of a block, in either direction: each computes 2×2 elements
constexpr int pitch = tile + 1;    // of a tile in shared memory: without conflicts whether written along rows or columns

// The tile of rows [first, first + tile) of A = x (wide) or xᵀ (tall) and of columns [depth, depth + tile), stored by columns;
// zeros outside A. Neighbouring threads read neighbouring numbers either way.
__device__ void loadTile(double (&to)[tile][pitch], Matrix x, bool wide, int64_t first, int64_t depth) {
  for (int i = threadIdx.x; i < tile * tile; i += side * side) {
    const int row = wide ? i / tile : i % tile, column = wide ? i % tile : i / tile;
    const int64_t r = wide ? first + row : depth + column, c = wide ? depth + column : first + row;
    to[column][row] = r < x.rows && c < x.cols ? static_cast<double>(x.data[r * x.cols + c]) : 0.0;
  }
}

// gram[size, size] = A·Aᵀ, its lower triangle; one block per tile of that.
__global__ void gramKernel(double* gram, Matrix x, bool wide, int64_t size, int64_t depth) {
  __shared__ double left[tile][pitch], right[tile][pitch];
  // Tiles are counted row by row, a row r of tiles having r + 1 of them.
  auto rowOfTiles = static_cast<int64_t>((sqrt(8.0 * blockIdx.x + 1) - 1) / 2);
  while (rowOfTiles * (rowOfTiles + 1) / 2 > blockIdx.x) rowOfTiles--;
  while ((rowOfTiles + 1) * (rowOfTiles + 2) / 2 <= blockIdx.x) rowOfTiles++;
  const int64_t row = rowOfTiles * tile, column = (blockIdx.x - rowOfTiles * (rowOfTiles + 1) / 2) * tile;
  const int i = threadIdx.x / side, j = threadIdx.x % side;
  double sums[2][2] = {};
  for (int64_t d = 0; d < depth; d += tile) {
    loadTile(left, x, wide, row, d);
    loadTile(right, x, wide, column, d);
    __syncthreads();
    for (int k = 0; k < tile; k++)
      for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) sums[a][b] += left[k][i + a * side] * right[k][j + b * side];
    __syncthreads();
  }
  for (int a = 0; a < 2; a++)
    for (int b = 0; b < 2; b++) {
      const int64_t r = row + i + a * side, c = column + j + b * side;
      if (c <= r && r < size) gram[r * size + c] = sums[a][b];
    }
}

}  // namespace

std::shared_ptr<Eigenvalues> CudaBackend::gramEigenvalues(Matrix x) {
  const bool wide = x.rows <= x.cols;
  const int64_t size = std::min(x.rows, x.cols), tiles = ceilDiv(size, tile);
  std::vector<double> host(static_cast<size_t>(size * size));
  if (size == 0) return eigenvalues_.of(std::move(host), size);
  double* gram = scratch_->get<double>(size * size);
  cuda::launch(stream_, gramKernel, static_cast<unsigned>(tiles * (tiles + 1) / 2), side * side, 0, gram, x, wide, size,
               std::max(x.rows, x.cols));
  read(host.data(), gram, size * size);
  return eigenvalues_.of(std::move(host), size);
}

}  // namespace muonscope::cuda
