#pragma once
// The only macros of kinglet that outlive their header.

/// Precondition inside kernels, blocks and forward. Off unless defined by the user; may be defined
/// to any hook.
#ifndef KINGLET_ASSERT
#ifdef KINGLET_DEBUG
#include <cassert>
#define KINGLET_ASSERT(condition) assert(condition)
#else
#define KINGLET_ASSERT(condition) static_cast<void>(0)
#endif
#endif

/// KINGLET_INLINE: whatever is not named after its ISA and is used by a kernel, so that no object
/// compiled for one ISA hands its copy to the rest of the program.
/// KINGLET_NOINLINE: register tiles, which spill when another loop shares their function.
/// KINGLET_UNROLL: before a loop over registers with a constant count; g++ keeps the array in
/// memory otherwise.
/// KINGLET_IN_REGISTER(x): operand of an asm that changes the vector x, so that it is in a register.
#if defined(__aarch64__)
#define KINGLET_IN_REGISTER(x) "+w"(x)
#elif defined(__x86_64__)
#define KINGLET_IN_REGISTER(x) "+v"(x)
#else
#define KINGLET_IN_REGISTER(x) "+m"(x)
#endif
#if defined(__GNUC__) || defined(__clang__)
#define KINGLET_INLINE inline __attribute__((always_inline))
#define KINGLET_NOINLINE __attribute__((noinline))
#define KINGLET_UNROLL _Pragma("GCC unroll 32")
#else
#define KINGLET_INLINE inline
#define KINGLET_NOINLINE
#define KINGLET_UNROLL
#endif
