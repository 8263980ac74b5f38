// What every kernel shares: types, thread layout, complex arithmetic, sums in a fixed order, atomics, intrinsics.
// REAL is float or double (-DREAL=...). VALUE, where a kernel has it, is the element type of the arrays it is given.
#pragma once

#ifdef __CUDACC__
#define SHARED_ARRAY(type, name, count) __shared__ type name[count]
// As much as the launch gives; once per kernel.
#define DYNAMIC_SHARED(type, name) \
    extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
    type* name = reinterpret_cast<type*>(dynamic_shared)
#else
#include "shim.hpp"  // g++ runs the same sources on the CPU: tests/cuda_on_cpu
#endif

#define DEVICE static __device__ __forceinline__
#define THREADS 256  // per block, of every kernel; launch.py uses the same number
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS)

typedef REAL real;
struct alignas(2 * sizeof(real)) complex {
    real x, y;
};
struct alignas(16) complex128 {
    double x, y;
};
struct float16 {  // IEEE half, as stored in a data set
    unsigned short bits;
};
template <class T> struct Pair;
template <> struct Pair<float> { typedef float2 type; };
template <> struct Pair<double> { typedef double2 type; };
typedef Pair<real>::type pair;

#define INTENSITY_FLOOR real(1e-10)  // added to every intensity; the losses never look at less

// --- complex arithmetic ----------------------------------------------------------------------------------------
DEVICE complex operator*(complex a, complex b) { return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x}; }
DEVICE complex operator*(real a, complex b) { return {a * b.x, a * b.y}; }
DEVICE complex operator+(complex a, complex b) { return {a.x + b.x, a.y + b.y}; }
DEVICE complex operator-(complex a, complex b) { return {a.x - b.x, a.y - b.y}; }
DEVICE complex& operator+=(complex& a, complex b) { return a = a + b; }
DEVICE complex conj_times(complex a, complex b) { return {a.x * b.x + a.y * b.y, a.x * b.y - a.y * b.x}; }
DEVICE real norm(complex a) { return a.x * a.x + a.y * a.y; }

DEVICE void sin_cos(float angle, float* s, float* c) { sincosf(angle, s, c); }
DEVICE void sin_cos(double angle, double* s, double* c) { sincos(angle, s, c); }
DEVICE void sin_cos_pi(float half_turns, float* s, float* c) { sincospif(half_turns, s, c); }
DEVICE void sin_cos_pi(double half_turns, double* s, double* c) { sincospi(half_turns, s, c); }

// exp(i angle)
DEVICE complex phasor(real angle) {
    complex result;
    sin_cos(angle, &result.y, &result.x);
    return result;
}

// exp(2 pi i cycles)
DEVICE complex phasor_cycles(real cycles) {
    complex result;
    sin_cos_pi(2 * cycles, &result.y, &result.x);
    return result;
}

DEVICE bool is_finite(float value) { return isfinite(value); }
DEVICE bool is_finite(double value) { return isfinite(value); }
DEVICE bool is_finite(complex value) { return isfinite(value.x) && isfinite(value.y); }

// --- thread layout -----------------------------------------------------------------------------------------------
// Flat kernels: one thread per element.
DEVICE size_t element() { return size_t(blockIdx.x) * THREADS + threadIdx.x; }

// Row kernels: one thread per (row, column); each row starts a block of its own, rows run along grid.x.
struct Place {
    int row, column;
};
DEVICE Place place(int columns) {
    int blocks = (columns + THREADS - 1) / THREADS;
    int row = blockIdx.x / blocks;
    return {row, int(blockIdx.x - row * blocks) * THREADS + int(threadIdx.x)};
}

// Division of a 64-bit index, in 32 bits where that is enough.
DEVICE size_t divide(size_t a, size_t b) {
    return ((a | b) >> 32) == 0 ? size_t(unsigned(a) / unsigned(b)) : a / b;
}

// Offset in a canvas [Y, X] of pixel `column` of the window [y, x] that starts at corners[index].
DEVICE size_t canvas_offset(const int* corners, int index, int column, int width, int canvas_width) {
    int y = column / width;
    return size_t(corners[2 * index] + y) * canvas_width + (corners[2 * index + 1] + column - y * width);
}

// Frequency of entry i of n, in cycles per pixel, as fftfreq.
DEVICE real frequency(int i, int n) { return real(i < (n + 1) / 2 ? i : i - n) / real(n); }

// --- sums in a fixed order -----------------------------------------------------------------------------------------
// Sums over a block of so many threads, in every thread; buffer [K, threads] shared. All threads must call it.
template <int K> DEVICE void block_sum(double (&values)[K], double* buffer, int threads) {
    for (int k = 0; k < K; ++k) buffer[k * threads + threadIdx.x] = values[k];
    __syncthreads();
    for (int half = threads / 2; half > 0; half /= 2) {
        if (int(threadIdx.x) < half)
            for (int k = 0; k < K; ++k) buffer[k * threads + threadIdx.x] += buffer[k * threads + threadIdx.x + half];
        __syncthreads();
    }
    for (int k = 0; k < K; ++k) values[k] = buffer[k * threads];
    __syncthreads();  // the buffer may be used again
}
template <int K> DEVICE void block_sum(double (&values)[K]) {
    SHARED_ARRAY(double, buffer, K * THREADS);
    block_sum(values, buffer, THREADS);
}

// First stage of a sum over columns: `parts` blocks per row stride over it; store_part writes [rows, parts, K].
struct Part {
    int row;
    size_t first, stride;
};
DEVICE Part part(int parts) {
    int row = blockIdx.x / parts;
    return {row, size_t(blockIdx.x - row * parts) * THREADS + threadIdx.x, size_t(parts) * THREADS};
}
template <int K> DEVICE void store_part(double* partials, double (&sums)[K]) {
    block_sum(sums);
    if (threadIdx.x == 0)
        for (int k = 0; k < K; ++k) partials[size_t(blockIdx.x) * K + k] = sums[k];
}

// What gradients that were made to a scale are multiplied by, once it is known; 1 without one.
DEVICE real deferred_scale(const double* deferred, double factor) { return deferred ? real(factor * deferred[0]) : real(1); }

// --- memory --------------------------------------------------------------------------------------------------------
// Reads through the read-only cache: data that no thread of this launch writes.
DEVICE real ldg(const real* address) { return __ldg(address); }
DEVICE complex ldg(const complex* address) {
    pair value = __ldg(reinterpret_cast<const pair*>(address));
    return {value.x, value.y};
}

// Memory that no kernel touches again soon: it gives way to others in the cache first.
DEVICE complex load_once(const complex* address) {
    pair value = __ldcs(reinterpret_cast<const pair*>(address));
    return {value.x, value.y};
}
DEVICE void store_once(complex* address, complex value) {
    pair given;
    given.x = value.x, given.y = value.y;
    __stcs(reinterpret_cast<pair*>(address), given);
}

// Atomic additions whose result is not read.
DEVICE void red(float* target, float value) { atomicAdd(target, value); }
DEVICE void red(double* target, double value) { atomicAdd(target, value); }
DEVICE void red_pair(float* target, float x, float y) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("red.global.add.v2.f32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(target)), "f"(x), "f"(y)
                 : "memory");
#else
    atomicAdd(target, x);
    atomicAdd(target + 1, y);
#endif
}
DEVICE void red_pair(double* target, double x, double y) {
    atomicAdd(target, x);
    atomicAdd(target + 1, y);
}
DEVICE void red(complex* target, complex value) { red_pair(&target->x, value.x, value.y); }
