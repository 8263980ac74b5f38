// Fourier transforms of a whole wave of LENGTH x LENGTH numbers, LENGTH = 64 or 128, that stays in shared memory.
//
// Eight neighbouring threads hold a line, a row or a column: thread t has the numbers t + 8 e, e < LENGTH / 8, before
// and after. A transform is a pass of LENGTH / 8 points and one of 8 points, with an exchange in the line's own memory
// between them. Both passes are in registers, and only threads of one warp wait for each other. A block
// of 4 LENGTH threads holds half the lines at a time.
//
// Number x of row y lies at y LENGTH + (x ^ f(y)), f as below: the 16 threads of two neighbouring lines, which the
// memory serves at once, are in 16 different banks of 8 bytes in every access, along rows and columns, without padding.
#pragma once
#include "fft.cuh"

#define WAVE_THREADS (4 * LENGTH)  // per block; whole_waves.py uses the same number
#define KERNEL_OF_WAVES extern "C" __global__ void __launch_bounds__(WAVE_THREADS, 512 / WAVE_THREADS)

// The same number, which the compiler takes for another: addresses made of it are made anew instead of being kept.
DEVICE int fresh(int number) {
#ifdef __CUDACC__
    asm volatile("" : "+r"(number));
#endif
    return number;
}

// --- the lines of a wave -------------------------------------------------------------------------------------------
template <int LENGTH_> struct WaveLines {
    static constexpr int EACH = LENGTH_ / 8;    // numbers of a line per thread
    static constexpr int COUNT = LENGTH_ / 2;  // lines of a block at a time
    static constexpr int PIXELS = LENGTH_ * LENGTH_;

    int first, holder;     // the first line of the thread, and which of its threads it is
    const complex* turns;  // [EACH, 8] shared, exp(-2 pi i holder k / LENGTH); in registers they would leave none

    // All threads of the block must call it.
    __device__ __forceinline__ explicit WaveLines(complex* shared) : turns(shared) {
        first = int(threadIdx.x) / 8;
        holder = int(threadIdx.x) % 8;
        if (first < EACH) shared[threadIdx.x] = phasor_cycles(-real(holder * first) / real(LENGTH_));
        __syncthreads();
    }

};

template <int LENGTH_, bool ROW> struct WaveLine {
    static constexpr int EACH = LENGTH_ / 8;

    const WaveLines<LENGTH_>& lines;
    complex* wave;  // shared
    int number, origin;  // of the line

    __device__ __forceinline__ WaveLine(const WaveLines<LENGTH_>& lines_, complex* wave_, int line)
        : lines(lines_), wave(wave_), number(line), origin(ROW ? line * LENGTH_ ^ spread(line) : line) {}

    // Where the thread's first number is in memory outside; the others follow eight numbers of the line apart.
    __device__ __forceinline__ int begin() const {
        return ROW ? fresh(number) * LENGTH_ + lines.holder : lines.holder * LENGTH_ + fresh(number);
    }

    __device__ __forceinline__ void load(complex (&x)[EACH]) const {
        int begin = natural();
#pragma unroll
        for (int e = 0; e < EACH; ++e) x[e] = wave[at(begin, 8 * e)];
    }
    // For the lines of the other kind, behind __syncthreads().
    __device__ __forceinline__ void store(const complex (&x)[EACH]) const {
        int begin = natural();
        __syncwarp();  // others of the line may still read it
#pragma unroll
        for (int e = 0; e < EACH; ++e) wave[at(begin, 8 * e)] = x[e];
    }

    // The unnormalised transform of the line. All threads of the warp must call it.
    template <int SIGN> __device__ __forceinline__ void transform(complex (&x)[EACH]) const {
        constexpr int APART = EACH / 8;  // transforms of 8 per thread
        points<SIGN>(x);
        const complex* turns = lines.turns + fresh(lines.holder);
#pragma unroll
        for (int k = 1; k < EACH; ++k) x[k] = turned<SIGN>(turns[8 * k], x[k]);
        // Number k of thread t lies at EACH t + (k ^ t).
        int holder = fresh(lines.holder), given = origin ^ step(EACH * holder ^ holder);
        __syncwarp();
#pragma unroll
        for (int k = 0; k < EACH; ++k) wave[at(given, k)] = x[k];
        __syncwarp();
        int taken = natural();
#pragma unroll
        for (int b = 0; b < APART; ++b) {
            complex part[8];
#pragma unroll
            for (int t = 0; t < 8; ++t) part[t] = wave[at(taken, EACH * t ^ t ^ 8 * b)];
            points<SIGN>(part);
#pragma unroll
            for (int k = 0; k < 8; ++k) x[b + APART * k] = part[k];
        }
    }

   private:
    // The three low bits of a row, the lowest one highest, in front of a bit that two neighbouring columns differ in.
    static __device__ __forceinline__ int spread(int row) { return (row & 1) << 3 | (row & 2) << 1 | (row & 4) >> 1; }

    // What number i of a line adds, without carry, to the origin; so does every part of i that has bits of its own.
    static __device__ __forceinline__ int step(int i) { return ROW ? i : i * LENGTH_ ^ spread(i); }

    // begin ^ step(i), where begin has no bits of i beyond the lowest: the compiler puts those into the access.
    static __device__ __forceinline__ int at(int begin, int i) {
        constexpr int LOW = ROW ? 15 : 7;
        return (begin ^ step(i & LOW)) + step(i & ~LOW);
    }

    __device__ __forceinline__ int natural() const { return origin ^ step(fresh(lines.holder)); }
};
