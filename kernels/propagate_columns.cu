// Propagation in the middle of a step along y: every column to its spectrum, times the transfer function, and back.
// waves are transformed along x already; `scale` makes up for the unnormalised FFTs of both axes. -DLENGTH=height.
#include "fft.cuh"

typedef Lines<LENGTH, false> Columns;

template <bool ADJOINT>
DEVICE void propagate(complex* waves, const complex* transfer, complex* exchange, real scale, int tilt_count,
                      int modes, int groups, int width) {
    Columns columns(exchange);
    int tiles = width / Columns::COUNT, stack = blockIdx.x / tiles;
    int x0 = int(blockIdx.x - stack * tiles) * Columns::COUNT + columns.line;
    int pattern = stack / groups, group = stack - pattern * groups;
    size_t pixels = size_t(LENGTH) * width;
    const complex* factors = transfer + (tilt_count == 1 ? 0 : pattern * pixels) + x0;
    complex h[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) h[e] = scale * ldg(&factors[columns.place(e) * width]);
    for (int m = group; m < modes; m += groups) {
        complex* wave = waves + (size_t(pattern) * modes + m) * pixels + x0;
        complex x[ELEMENTS];
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = wave[columns.place(e) * width];
        columns.transform<FORWARD>(x);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = ADJOINT ? conj_times(h[e], x[e]) : h[e] * x[e];
        columns.transform<INVERSE>(x);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) wave[columns.place(e) * width] = x[e];
    }
}

// waves[i, m] = scale F^-1 transfer[t] F waves[i, m], F along y, t = i or 0; launched with x / COUNT blocks for each of
// n groups, which share the modes
KERNEL propagate_columns_forward(
    complex* waves,           // [n, modes, y, x] in place
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int tilt_count,
    int modes,
    int groups,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    propagate<false>(waves, transfer, exchange, scale, tilt_count, modes, groups, width);
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
    propagate<true>(grad_waves, transfer, exchange, scale, tilt_count, modes, groups, width);
}
