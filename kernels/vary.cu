// probe_i = probe + sum_v weights[i, v] variation_v in the first mode (Odstrcil et al., Opt. Express 24, 2016).
#include "common.cuh"

// varied[i, m] = waves[i, m] + (m == 0) sum_v weights[i, v] waves[i, p + v]; launched over (n, y x)
KERNEL vary_forward(
    complex* varied,       // [n, p, y, x]
    const complex* waves,  // [n, p + v, y, x]
    const real* weights,   // [n, v]
    int probe_modes,
    int variations,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    const complex* wave = waves + size_t(at.row) * (probe_modes + variations) * pixels + at.column;
    complex* out = varied + size_t(at.row) * probe_modes * pixels + at.column;
    complex sum = wave[0];
    for (int v = 0; v < variations; ++v)
        sum += weights[at.row * variations + v] * wave[size_t(probe_modes + v) * pixels];
    out[0] = sum;
    for (int m = 1; m < probe_modes; ++m) out[size_t(m) * pixels] = wave[size_t(m) * pixels];
}

// grad_waves[i, m] = grad[i, m], grad_waves[i, p + v] = weights[i, v] grad[i, 0]; launched over (n, y x)
KERNEL vary_backward(
    complex* grad_waves,  // [n, p + v, y, x]
    const complex* grad,  // [n, p, y, x]
    const real* weights,  // [n, v]
    int probe_modes,
    int variations,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex* out = grad_waves + size_t(at.row) * (probe_modes + variations) * pixels + at.column;
    const complex* given = grad + size_t(at.row) * probe_modes * pixels + at.column;
    for (int m = 0; m < probe_modes; ++m) out[size_t(m) * pixels] = given[size_t(m) * pixels];
    for (int v = 0; v < variations; ++v)
        out[size_t(probe_modes + v) * pixels] = weights[at.row * variations + v] * given[0];
}

// grad_weights[i, v] += sum_k Re(conj(grad[i, 0, k]) waves[i, p + v, k]); first stage, a row is a pair (i, v)
KERNEL vary_backward_weights(
    double* partials,      // [n v, parts, 1]
    const complex* grad,   // [n, p, y, x]
    const complex* waves,  // [n, p + v, y, x]
    int probe_modes,
    int variations,
    size_t pixels,
    int parts) {
    Part at = part(parts);
    int i = at.row / variations, v = at.row - i * variations;
    const complex* first = grad + size_t(i) * probe_modes * pixels;
    const complex* wave = waves + (size_t(i) * (probe_modes + variations) + probe_modes + v) * pixels;
    double sums[1] = {0};
    for (size_t k = at.first; k < pixels; k += at.stride) sums[0] += double(conj_times(first[k], wave[k]).x);
    store_part(partials, sums);
}
