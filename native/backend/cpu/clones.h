// Compiles a hot loop for several x86-64 levels (v4: AVX-512, v3: AVX2 and FMA, baseline: SSE2) and lets the loader
// choose. Put MUONSCOPE_CLONES before the definition of a plain free function; what it calls is only vectorised with
// it when inlined, so helpers are MUONSCOPE_INLINE. Templates and lambdas cannot be cloned.
#pragma once

#include <cstdint>  // any header of the C library, for __GLIBC__

// The choice is made by an ifunc resolver: glibc on x86-64, and not under the sanitizers, whose runtime is not yet
// up when resolvers run. Compilers that do not know the levels by name (GCC before 12, Clang) build the baseline.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && __GNUC__ >= 12 && !defined(MUONSCOPE_SANITIZE)
#define MUONSCOPE_CLONES __attribute__((noinline, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MUONSCOPE_CLONES
#endif

#define MUONSCOPE_INLINE inline __attribute__((always_inline))
