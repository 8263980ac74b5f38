// The detector in the middle of a step along y: every column of all modes of a pattern to its spectrum, the likelihood of
// what they are together, and the gradient of the waves back. patterns.cuh, residual.cuh, fft.cuh. -DLENGTH=height.
#include "fft.cuh"
#include "patterns.cuh"
#include "residual.cuh"

typedef Lines<LENGTH, false> Columns;

// Up to two groups of threads, which share the modes out among themselves: wave_steps.py
#define KERNEL_OF_GROUPS extern "C" __global__ void __launch_bounds__(2 * THREADS)

// waves = F^-1 2 occupancy[o] scale r F waves along y, r = dL/dI for statistics of [1, 1, 1] and I = scale sum_o
// occupancy[o] sum_p |F waves|^2 + 1e-10; and the statistics, first stage. Launched with x / COUNT blocks for each of n.
KERNEL_OF_GROUPS detect_columns(
    complex* waves,         // [n, o, p, y, x] transformed along x, in place
    double* partials,       // [n x / COUNT, 3]
    const real* occupancy,  // [o]
    const VALUE* stored,    // from here as in patterns.cuh
    const int* indices,
    const int* slots,
    const real* pattern_scale,
    const unsigned char* mask,
    const unsigned char* weights,
    const real* background,
    const unsigned* words,
    const size_t* offsets,
    const unsigned char* extras,
    int bits,
    int row_words,
    int height,
    int width,
    int padded_height,
    int padded_width,
    int poisson,
    real power,
    real eps,
    real scale,
    int groups,
    int object_modes,
    int probe_modes) {
    DYNAMIC_SHARED(complex, shared);  // [groups, EXCHANGE], and [ELEMENTS, THREADS] of reals
    const Patterns<VALUE> patterns = {stored, indices, slots, pattern_scale, mask, weights, background, words, offsets,
                                      extras, bits, row_words, height, width, padded_height, padded_width};
    const Likelihood likelihood = {poisson, power, eps};
    int group = int(threadIdx.x) / THREADS, thread = int(threadIdx.x) % THREADS;
    real* pulls = reinterpret_cast<real*>(shared + groups * EXCHANGE);
    Columns columns(shared + group * EXCHANGE, thread);
    int tiles = padded_width / Columns::COUNT, pattern = blockIdx.x / tiles;
    int x0 = int(blockIdx.x - pattern * tiles) * Columns::COUNT + columns.line;
    int modes = object_modes * probe_modes;
    size_t pixels = size_t(LENGTH) * padded_width;
    complex* first_wave = waves + size_t(pattern) * modes * pixels + x0;
    complex x[ELEMENTS];
    real totals[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) totals[e] = 0;
#pragma unroll 1
    for (int m = group; m - group < modes; m += groups) {
        bool there = m < modes;
        const complex* wave = first_wave + m * pixels;
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = there ? wave[columns.place(e) * padded_width] : complex{0, 0};
        columns.transform<FORWARD>(x);
        real weight = there ? occupancy[m / probe_modes] : 0;
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) totals[e] += weight * norm(x[e]);
    }
    // Every group looks at its share of the pixels, and finds there what the others have of them.
    real* sums = reinterpret_cast<real*>(shared);
    constexpr int APART = 2 * EXCHANGE;  // from group to group
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) sums[group * APART + e * THREADS + thread] = totals[e];
    __syncthreads();
    double statistics[3] = {0, 0, 0};
#pragma unroll 1
    for (int e = group; e < ELEMENTS; e += groups) {
        real total = 0;
        for (int g = 0; g < groups; ++g) total += sums[g * APART + e * THREADS + thread];
        real data = decoded(patterns, pattern, columns.place(e) * padded_width + x0);
        pulls[e * THREADS + thread] = residual(scale * total + INTENSITY_FLOOR, data, likelihood, statistics);
    }
    __syncthreads();
    block_sum(statistics, reinterpret_cast<double*>(shared), groups * THREADS);
    if (threadIdx.x == 0)
        for (int k = 0; k < 3; ++k) partials[size_t(blockIdx.x) * 3 + k] = statistics[k];
#pragma unroll 1
    for (int m = group; m - group < modes; m += groups) {
        bool there = m < modes;
        complex* wave = first_wave + m * pixels;
        if (modes > groups) {  // otherwise it is still there
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) x[e] = there ? wave[columns.place(e) * padded_width] : complex{0, 0};
            columns.transform<FORWARD>(x);
        }
        real weight = there ? 2 * scale * occupancy[m / probe_modes] : 0;
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = weight * pulls[e * THREADS + thread] * x[e];
        columns.transform<INVERSE>(x);
        if (there)
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) wave[columns.place(e) * padded_width] = x[e];
    }
}
