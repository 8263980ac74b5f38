// From the waves on the detector to a likelihood's statistics and its pull on the intensities, patterns decoded on the way.
#include "patterns.cuh"
#include "residual.cuh"

// I[i, k] = scale sum_o occupancy[o] sum_p |waves[i, o, p, k]|^2 + 1e-10 against pattern i of the batch: statistics, first
// stage, and grad_intensity = dL/dI for statistics of [1, 1, 1]; launched over (n, Y X)
KERNEL residual(
    real* grad_intensity,   // [n, Y, X]
    double* partials,       // [n, parts, 3]
    const complex* waves,   // [n, o, p, Y, X]
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
    int object_modes,
    int probe_modes) {
    const Patterns<VALUE> patterns = {stored, indices, slots, pattern_scale, mask, weights, background, words, offsets,
                                      extras, bits, row_words, height, width, padded_height, padded_width};
    const Likelihood likelihood = {poisson, power, eps};
    int pixels = padded_height * padded_width;
    Place at = place(pixels);
    double statistics[3] = {0, 0, 0};
    if (at.column < pixels) {
        const complex* wave = waves + size_t(at.row) * object_modes * probe_modes * pixels + at.column;
        real total = 0;
        for (int o = 0; o < object_modes; ++o) {
            real sum = 0;
            for (int p = 0; p < probe_modes; ++p, wave += pixels) sum += norm(*wave);
            total += occupancy[o] * sum;
        }
        real data = decoded(patterns, at.row, at.column);
        real pull = residual(scale * total + INTENSITY_FLOOR, data, likelihood, statistics);
        grad_intensity[size_t(at.row) * pixels + at.column] = pull;
    }
    store_part(partials, statistics);
}
