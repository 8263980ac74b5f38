// Fourier transforms along one axis, where waves enter the steps of rows and columns and where they leave them; -DLENGTH=
// the length of a line. Unnormalised, as cuFFT's: `scale` makes up for it, of both axes where a kernel has the last word.
#include "fft.cuh"

typedef Lines<LENGTH, true> Rows;
typedef Lines<LENGTH, false> Columns;

// waves[r, x] = F waves[r, x] along x, or F^-1; launched with rows / COUNT blocks
KERNEL transform_rows(
    complex* waves,  // [rows, x] in place
    int inverse) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    Rows rows(exchange);
    complex* row = waves + (size_t(blockIdx.x) * Rows::COUNT + rows.line) * LENGTH;
    complex x[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) x[e] = row[rows.place(e)];
    if (inverse)
        rows.transform<INVERSE>(x);
    else
        rows.transform<FORWARD>(x);
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) row[rows.place(e)] = x[e];
}

// waves[i] = scale F waves[i] along y, or F^-1; launched with width / COUNT blocks for each of the waves
KERNEL transform_columns(
    complex* waves,  // [waves, y, x] in place
    real scale,
    int inverse,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    Columns columns(exchange);
    int tiles = width / Columns::COUNT, number = blockIdx.x / tiles;
    int x0 = int(blockIdx.x - number * tiles) * Columns::COUNT + columns.line;
    complex* wave = waves + size_t(number) * LENGTH * width + x0;
    complex x[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) x[e] = wave[columns.place(e) * width];
    if (inverse)
        columns.transform<INVERSE>(x);
    else
        columns.transform<FORWARD>(x);
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) wave[columns.place(e) * width] = scale * x[e];
}

// waves[i, p] = F^-1 scale spectrum[p] ramp_i along y, ramp_i = exp(-2 pi i (s_y f_y + s_x f_x)): the spectra along x of
// a probe that is moved by s. Launched with width / COUNT blocks for each of n groups, which share the modes.
KERNEL transform_shifted(
    complex* waves,           // [n, p, y, x]
    const complex* spectrum,  // [p, y, x] of the probe
    const real* shifts,       // [n, 2] px
    real scale,
    int probe_modes,
    int groups,
    int width) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    Columns columns(exchange);
    int tiles = width / Columns::COUNT, stack = blockIdx.x / tiles;
    int x0 = int(blockIdx.x - stack * tiles) * Columns::COUNT + columns.line;
    int pattern = stack / groups, group = stack - pattern * groups;
    size_t pixels = size_t(LENGTH) * width;
    real along_x = shifts[2 * pattern + 1] * frequency(x0, width);
    complex ramp[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e)
        ramp[e] = scale * phasor_cycles(-(shifts[2 * pattern] * frequency(columns.place(e), LENGTH) + along_x));
    for (int p = group; p < probe_modes; p += groups) {
        const complex* source = spectrum + p * pixels + x0;
        complex* wave = waves + (size_t(pattern) * probe_modes + p) * pixels + x0;
        complex x[ELEMENTS];
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = ramp[e] * ldg(&source[columns.place(e) * width]);
        columns.transform<INVERSE>(x);
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) wave[columns.place(e) * width] = x[e];
    }
}
