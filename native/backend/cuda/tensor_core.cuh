// The instructions of sm_80 and later that C++ has no words for: matrix multiply-accumulate on bf16, loads of its
// fragments, and copies into shared memory that go on while the kernel computes. Lanes, fragments and their layouts:
// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type", "ldmatrix", "cp.async".
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace muonscope::cuda {

// D[16, 8] += A[16, 16]·B[16, 8], A and B bf16, D fp32. With g = lane / 4 and t = lane % 4: a[0..3] hold, as pairs of
// neighbouring columns, rows g, g + 8, g, g + 8 at columns 2t, 2t, 2t + 8, 2t + 8; b[0..1] hold column g at rows
// (2t, 2t + 1) and (2t + 8, 2t + 9); d[0..3] are (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
__device__ inline void mma16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline uint32_t sharedAddress(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

// Four 8×8 matrices of 16-bit elements from shared memory: lanes 8i to 8i + 7 give the addresses (16-byte aligned) of
// the rows of matrix i; lane l receives in r[i] elements 2(l % 4) and 2(l % 4) + 1 of row l / 4 of it.
__device__ inline void loadMatrix4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(row))
               : "memory");
}

// The same, each matrix transposed: lane l receives elements (2(l % 4), l / 4) and (2(l % 4) + 1, l / 4).
__device__ inline void loadMatrix4Transposed(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(row))
               : "memory");
}

// 16 bytes from global to shared memory, both 16-byte aligned, without waiting; zeros, and no read, unless `valid`.
__device__ inline void copyAsync16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(sharedAddress(shared)), "l"(global), "r"(valid ? 16 : 0) : "memory");
}

// Closes a group of copies.
__device__ inline void copyAsyncCommit() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Until all but this thread's `pending` latest groups have arrived; __syncthreads() then shows them to the block.
template <int pending>
__device__ inline void copyAsyncWait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(pending) : "memory");
}

}  // namespace muonscope::cuda
