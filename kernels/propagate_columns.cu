// Propagation in the middle of a step along y: every column to its spectrum, times the transfer function, and back.
// waves are transformed along x already; `scale` makes up for the unnormalised FFTs of both axes. -DLENGTH=height.
#include "fft.cuh"

typedef Lines<LENGTH, false> Columns;

// The columns of a block: x / COUNT blocks for each of n groups, which share the waves of one number of n.
struct Tile {
    int stack;  // number * groups + group
    int number, group;
    int x;
};
DEVICE Tile tile_of(const Columns& columns, int groups, int width) {
    int tiles = width / Columns::COUNT, stack = blockIdx.x / tiles, number = stack / groups;
    return {stack, number, stack - number * groups,
            int(blockIdx.x - stack * tiles) * Columns::COUNT + columns.line};
}

template <bool ADJOINT, bool KEEP>
DEVICE void propagate(complex* waves, complex* spectra, const complex* transfer, complex* exchange, real scale,
                      int tilt_count, int modes, int groups, int width) {
    Columns columns(exchange);
    Tile tile = tile_of(columns, groups, width);
    size_t pixels = size_t(LENGTH) * width;
    const complex* factors = transfer + (tilt_count == 1 ? 0 : tile.number * pixels) + tile.x;
    complex h[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) h[e] = scale * ldg(&factors[columns.place(e) * width]);
    for (int m = tile.group; m < modes; m += groups) {
        size_t offset = (size_t(tile.number) * modes + m) * pixels + tile.x;
        complex* wave = waves + offset;
        complex x[ELEMENTS];
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = wave[columns.place(e) * width];
        columns.transform<FORWARD>(x);
        if (KEEP)
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) store_once(&spectra[offset + columns.place(e) * width], x[e]);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = ADJOINT ? conj_times(h[e], x[e]) : h[e] * x[e];
        columns.transform<INVERSE>(x);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) wave[columns.place(e) * width] = x[e];
    }
}

// waves[i, m] = scale F^-1 transfer[t] F waves[i, m], F along y, t = i or 0
KERNEL propagate_columns_forward(
    complex* waves,           // [n, modes, y, x] in place
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int tilt_count,
    int modes,
    int groups,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    propagate<false, false>(waves, nullptr, transfer, exchange, scale, tilt_count, modes, groups, width);
}

// The same, and spectra[i, m] = F waves[i, m], which the gradient of the transfer function needs
KERNEL propagate_columns_forward_kept(
    complex* waves,           // [n, modes, y, x] in place
    complex* spectra,         // [n, modes, y, x]
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int tilt_count,
    int modes,
    int groups,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    propagate<false, true>(waves, spectra, transfer, exchange, scale, tilt_count, modes, groups, width);
}

// grad_waves[i, m] = scale F^-1 conj(transfer[t]) F grad_waves[i, m]
KERNEL propagate_columns_backward(
    complex* grad_waves,      // [n, modes, y, x] in place
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int tilt_count,
    int modes,
    int groups,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    propagate<true, false>(grad_waves, nullptr, transfer, exchange, scale, tilt_count, modes, groups, width);
}

// The same for t transfer functions, each of so many waves, and
// grad_parts[t, group] (+)= scale sum_m conj(spectra[t, m]) F grad_waves[t, m] over the waves of the group.
// Sums take the registers of the factors, which are read anew for every wave: not by ldg, which would be drawn before
// the loop.
KERNEL_TWICE propagate_columns_backward_kept(
    complex* grad_waves,      // [t, waves, y, x] in place
    complex* grad_parts,      // [t, groups, y, x]
    const complex* spectra,   // [t, waves, y, x]
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int accumulate,  // 1: add to grad_parts, 0: overwrite them
    int waves,
    int groups,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    Columns columns(exchange);
    Tile tile = tile_of(columns, groups, width);
    size_t pixels = size_t(LENGTH) * width;
    const complex* factors = transfer + tile.number * pixels + tile.x;
    complex sums[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) sums[e] = {0, 0};
    for (int m = tile.group; m < waves; m += groups) {
        size_t offset = (size_t(tile.number) * waves + m) * pixels + tile.x;
        complex* wave = grad_waves + offset;
        complex x[ELEMENTS];
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = wave[columns.place(e) * width];
        columns.transform<FORWARD>(x);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e)
            sums[e] += conj_times(load_once(&spectra[offset + columns.place(e) * width]), x[e]);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = conj_times(factors[columns.place(e) * width], scale * x[e]);
        columns.transform<INVERSE>(x);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) wave[columns.place(e) * width] = x[e];
    }
    complex* target = grad_parts + tile.stack * pixels + tile.x;
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) {
        complex* place = &target[columns.place(e) * width];
        complex sum = scale * sums[e];
        *place = accumulate ? *place + sum : sum;
    }
}
