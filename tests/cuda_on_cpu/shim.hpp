// CUDA's language and intrinsics for g++: kernels/*.cu compile unchanged and run on one CPU thread.
// Kernels without barriers run as plain loops; the others get a fiber per thread (shim.cpp).
#pragma once

#include <cmath>
#include <cstddef>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct Index {
    unsigned x = 0;
};
extern Index threadIdx, blockIdx;

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) double2 {
    double x, y;
};

using std::atan;
using std::atan2;
using std::cos;
using std::exp;
using std::fabs;
using std::fmax;
using std::frexp;
using std::hypot;
using std::isfinite;
using std::ldexp;
using std::log;
using std::pow;
using std::rint;
using std::sqrt;
using std::tan;

inline void sincosf(float angle, float* s, float* c) { *s = std::sin(angle), *c = std::cos(angle); }
inline void sincos(double angle, double* s, double* c) { *s = std::sin(angle), *c = std::cos(angle); }
inline void sincospi(double half_turns, double* s, double* c) {
    double angle = 3.14159265358979323846 * (half_turns - 2 * std::rint(half_turns / 2));  // exact reduction
    *s = std::sin(angle), *c = std::cos(angle);
}
inline void sincospif(float half_turns, float* s, float* c) {
    double sine, cosine;
    sincospi(half_turns, &sine, &cosine);
    *s = float(sine), *c = float(cosine);
}

template <class T> T __ldg(const T* address) { return *address; }
template <class T> T __ldcs(const T* address) { return *address; }
template <class T> void __stcs(T* address, T value) { *address = value; }
template <class T> void atomicAdd(T* target, T value) { *target += value; }

void shim_barrier();       // of the block
void shim_warp_barrier();  // of 32 threads
// Memory of the block, filled with NaN at its start; `key` tells the arrays of one kernel apart.
void* shim_shared(std::size_t key, std::size_t bytes);
#define __syncthreads() shim_barrier()
#define __syncwarp() shim_warp_barrier()
#define SHARED_ARRAY(type, name, count) \
    type* name = static_cast<type*>(shim_shared(__COUNTER__, sizeof(type) * (count)))

// What the launch gives beyond those, filled with NaN as well.
void* shim_dynamic();
#define DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(shim_dynamic())

// Runs the threads of every block, in the order of `schedule` (0 ascending, 1 descending, 2 strided).
void shim_run(void (*thread)(void**), void** arguments, unsigned grid, unsigned block, std::size_t dynamic_bytes,
              int schedule, bool barriers);

template <class... Types, std::size_t... Indices>
void shim_call(void (*kernel)(Types...), void** arguments, std::index_sequence<Indices...>) {
    kernel(*static_cast<std::remove_reference_t<Types>*>(arguments[Indices])...);
}
// Unpacks `void** arguments` by the kernel's own parameter types, as cuLaunchKernel does.
template <auto kernel> struct Invoke;
template <class... Types, void (*kernel)(Types...)> struct Invoke<kernel> {
    static void thread(void** arguments) {
        shim_call(kernel, arguments, std::index_sequence_for<Types...>());
    }
};
