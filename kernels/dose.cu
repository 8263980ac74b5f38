#include "common.cuh"

// scaled[i, k] = factors[i] intensity[i, k]; launched over (n, ky kx)
KERNEL dose_forward(
    real* scaled,           // [n, ky, kx]
    const real* intensity,  // [n, ky, kx]
    const real* factors,    // [n, 1]
    int pixels) {
    Place at = place(pixels);
    size_t i = size_t(at.row) * pixels + at.column;
    if (at.column < pixels) scaled[i] = factors[at.row] * intensity[i];
}

// grad_factors[i] += sum_k grad[i, k] intensity[i, k]; first stage
KERNEL dose_backward_factors(
    double* partials,       // [n, parts, 1]
    const real* grad,       // [n, ky, kx]
    const real* intensity,  // [n, ky, kx]
    size_t pixels,
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t k = at.first; k < pixels; k += at.stride)
        sums[0] += double(grad[at.row * pixels + k]) * double(intensity[at.row * pixels + k]);
    store_part(partials, sums);
}
