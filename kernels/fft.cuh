// Fourier transforms of 64, 128, 256 or 512 numbers in registers, for kernels compiled with -DLENGTH=...
//
// A line of LENGTH numbers is held by LENGTH / 8 threads; thread t has those at t + e LENGTH / 8, e = 0..7, before and
// after: natural order outside. Passes of 8 points with an exchange through shared memory between them (Stockham's
// order: Cochran et al., Proc. IEEE 55, 1664 (1967)); a first pass of 2 or 4 points where LENGTH is not a power of 8.
// A block of 256 threads holds 2048 / LENGTH lines.
#pragma once
#include "common.cuh"

#define ELEMENTS 8  // of a line, per thread
#define EXCHANGE (ELEMENTS * THREADS * 17 / 16)  // numbers of shared memory that a block's lines need
// For kernels of which a multiprocessor has two blocks at once in single precision: 128 registers per thread.
#define KERNEL_TWICE extern "C" __global__ void __launch_bounds__(THREADS, sizeof(real) == sizeof(float) ? 2 : 1)

constexpr int FORWARD = -1, INVERSE = 1;  // exp(FORWARD 2 pi i k r / n)

// --- transforms of 2, 4, 8 and 16 values in registers ----------------------------------------------------------------
// exp(SIGN i pi / 2) a
template <int SIGN> DEVICE complex quarter_turn(complex a) {
    return SIGN > 0 ? complex{-a.y, a.x} : complex{a.y, -a.x};
}

// exp(SIGN i pi / 4) a
template <int SIGN> DEVICE complex eighth_turn(complex a) {
    return real(0.70710678118654752440) * (a + quarter_turn<SIGN>(a));
}

DEVICE void points(complex& a, complex& b) {
    complex difference = a - b;
    a += b;
    b = difference;
}
template <int SIGN> DEVICE void points(complex& a, complex& b, complex& c, complex& d) {
    points(a, c);
    points(b, d);
    d = quarter_turn<SIGN>(d);
    points(a, b);
    points(c, d);
    complex second = c;
    c = b;
    b = second;
}
template <int SIGN> DEVICE void points(complex (&x)[8]) {
    points<SIGN>(x[0], x[2], x[4], x[6]);
    points<SIGN>(x[1], x[3], x[5], x[7]);
    x[3] = eighth_turn<SIGN>(x[3]);
    x[5] = quarter_turn<SIGN>(x[5]);
    x[7] = quarter_turn<SIGN>(eighth_turn<SIGN>(x[7]));
    complex even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        x[k] = even[k] + odd[k];
        x[k + 4] = even[k] - odd[k];
    }
}

// exp(SIGN 2 pi i cycles) x, turn = exp(-2 pi i cycles)
template <int SIGN> DEVICE complex turned(complex turn, complex x) {
    return SIGN < 0 ? turn * x : conj_times(turn, x);
}
template <int SIGN> DEVICE void points(complex (&x)[16]) {
    const complex turn1 = {real(0.92387953251128675613), real(-0.38268343236508977173)};  // exp(-2 pi i / 16)
    const complex turn3 = {real(0.38268343236508977173), real(-0.92387953251128675613)};
#pragma unroll
    for (int r = 0; r < 4; ++r) points<SIGN>(x[r], x[r + 4], x[r + 8], x[r + 12]);
    // x[r + 4 k] by exp(SIGN 2 pi i r k / 16)
    x[5] = turned<SIGN>(turn1, x[5]);
    x[6] = eighth_turn<SIGN>(x[6]);
    x[7] = turned<SIGN>(turn3, x[7]);
    x[9] = eighth_turn<SIGN>(x[9]);
    x[10] = quarter_turn<SIGN>(x[10]);
    x[11] = quarter_turn<SIGN>(eighth_turn<SIGN>(x[11]));
    x[13] = turned<SIGN>(turn3, x[13]);
    x[14] = quarter_turn<SIGN>(eighth_turn<SIGN>(x[14]));
    x[15] = real(-1) * turned<SIGN>(turn1, x[15]);
#pragma unroll
    for (int k = 0; k < 4; ++k) points<SIGN>(x[4 * k], x[4 * k + 1], x[4 * k + 2], x[4 * k + 3]);
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
        for (int m = 0; m < k; ++m) {  // 4 k + m holds number k + 4 m
            complex other = x[4 * k + m];
            x[4 * k + m] = x[4 * m + k];
            x[4 * m + k] = other;
        }
}

// x[r] exp(SIGN 2 pi i r cycles)
template <int SIGN> DEVICE void turn_all(complex (&x)[8], complex turn) {
    complex second = turn * turn, third = second * turn, fourth = second * second;
    x[1] = turned<SIGN>(turn, x[1]);
    x[2] = turned<SIGN>(second, x[2]);
    x[3] = turned<SIGN>(third, x[3]);
    x[4] = turned<SIGN>(fourth, x[4]);
    x[5] = turned<SIGN>(fourth * turn, x[5]);
    x[6] = turned<SIGN>(third * third, x[6]);
    x[7] = turned<SIGN>(fourth * third, x[7]);
}

// --- transforms of the lines of a block ----------------------------------------------------------------------------
// ROWS: the threads of a line are neighbours. Otherwise lines are neighbours: columns of an array in memory.
template <int LENGTH_, bool ROWS> struct Lines {
    static constexpr int HOLDERS = LENGTH_ / ELEMENTS;  // threads per line
    static constexpr int COUNT = THREADS / HOLDERS;     // lines per block
    static constexpr int FIRST = LENGTH_ == 64 ? 8 : LENGTH_ / 64;
    static constexpr bool IN_A_WARP = ROWS && HOLDERS <= 32;

    complex* exchange;  // [EXCHANGE] shared
    int line, holder;
    complex middle, last;  // what the second and third pass turn by

    // thread: among the THREADS that hold the lines together.
    __device__ __forceinline__ explicit Lines(complex* shared, int thread = int(threadIdx.x)) : exchange(shared) {
        line = ROWS ? thread / HOLDERS : thread % COUNT;
        holder = ROWS ? thread % HOLDERS : thread / COUNT;
        middle = phasor_cycles(-real(holder % FIRST) / real(FIRST * 8));
        last = phasor_cycles(-real(holder) / real(LENGTH_));
    }

    // Where the thread's element e lies in its line.
    __device__ __forceinline__ int place(int e) const { return holder + e * HOLDERS; }

    // The unnormalised transform of every line of the block. All threads of the block must call it.
    template <int SIGN> __device__ __forceinline__ void transform(complex (&x)[ELEMENTS]) const {
        constexpr int APART = ELEMENTS / FIRST;  // first transforms per thread
        if (FIRST == 2) {
#pragma unroll
            for (int b = 0; b < 4; ++b) points(x[b], x[b + 4]);
        } else if (FIRST == 4) {
#pragma unroll
            for (int b = 0; b < 2; ++b) points<SIGN>(x[b], x[b + 2], x[b + 4], x[b + 6]);
        } else {
            points<SIGN>(x);
        }
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e)
            exchange[at(holder * FIRST, e % APART * HOLDERS * FIRST + e / APART)] = x[e];
        collect(x);
        if (LENGTH_ > 64) {
            turn_all<SIGN>(x, middle);
            points<SIGN>(x);
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e)
                exchange[at(holder / FIRST * (FIRST * 8) + holder % FIRST, e * FIRST)] = x[e];
            collect(x);
        }
        turn_all<SIGN>(x, last);
        points<SIGN>(x);
    }

    // Adds to the values of the first `apart` threads those of all others at their place. All threads must call it.
    __device__ __forceinline__ void gather(complex (&x)[ELEMENTS], int apart) const {
        __syncthreads();  // other lines may still be in their transform, which waits for a warp only
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) exchange[e * THREADS + threadIdx.x] = x[e];
        __syncthreads();
        if (int(threadIdx.x) < apart)
            for (int other = threadIdx.x + apart; other < THREADS; other += apart)
#pragma unroll
                for (int e = 0; e < ELEMENTS; ++e) x[e] += exchange[e * THREADS + other];
        __syncthreads();
    }

   private:
    // Every 16 numbers are followed by a hole, so that powers of two do not meet in one bank. The sum of the two never
    // carries into the hole's bit, so each has its own holes, and those of `offset` are known to the compiler.
    __device__ __forceinline__ int at(int begin, int offset) const {
        unsigned i = ROWS ? line * LENGTH_ + begin : begin * COUNT + line;
        unsigned further = ROWS ? offset : offset * COUNT;
        return (i + i / 16) + (further + further / 16);
    }

    __device__ __forceinline__ void wait() const {
        if (IN_A_WARP)
            __syncwarp();
        else
            __syncthreads();
    }

    __device__ __forceinline__ void collect(complex (&x)[ELEMENTS]) const {
        wait();
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = exchange[at(holder, e * HOLDERS)];
        wait();  // the memory may be written again
    }
};
