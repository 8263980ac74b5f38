#include "common.cuh"

// plate[k] = exp(-i sum_c coefficients[c] basis[c, k])
KERNEL aberrate_forward(
    complex* plate,            // [y, x]
    const real* coefficients,  // [K] angstrom
    const real* basis,         // [K, y, x] rad/angstrom
    int terms,                 // K
    size_t count) {            // y x
    size_t k = element();
    if (k >= count) return;
    double angle = 0, sine, cosine;  // hundreds of radians: float would lose the digits that interfere
    for (int c = 0; c < terms; ++c) angle += double(coefficients[c]) * double(basis[c * count + k]);
    sin_cos(angle, &sine, &cosine);
    plate[k] = {real(cosine), real(-sine)};
}

// grad_coefficients[c] += sum_k basis[c, k] Im(conj(grad[k]) plate[k]); first stage, a row is a coefficient
KERNEL aberrate_backward(
    double* partials,      // [K, parts, 1]
    const complex* grad,   // [y, x] of the plate
    const complex* plate,  // [y, x]
    const real* basis,     // [K, y, x] rad/angstrom
    size_t pixels,
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t k = at.first; k < pixels; k += at.stride)
        sums[0] += double(basis[at.row * pixels + k]) * double(conj_times(grad[k], plate[k]).y);
    store_part(partials, sums);
}
