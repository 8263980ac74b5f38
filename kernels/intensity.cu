#include "common.cuh"

// intensity[i, k] = sum_o occupancy[o] sum_p |waves[i, o, p, k]|^2 + 1e-10; launched over (n, y x)
KERNEL intensity_forward(
    real* intensity,        // [n, y, x]
    const complex* waves,   // [n, o, p, y, x]
    const real* occupancy,  // [o]
    int object_modes,
    int probe_modes,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    real total = 0;
    for (int o = 0; o < object_modes; ++o) {
        real sum = 0;
        for (int p = 0; p < probe_modes; ++p)
            sum += norm(waves[((size_t(at.row) * object_modes + o) * probe_modes + p) * pixels + at.column]);
        total += occupancy[o] * sum;
    }
    intensity[size_t(at.row) * pixels + at.column] = total + INTENSITY_FLOOR;
}

// grad_waves[i, o, p, k] = 2 occupancy[o] grad_intensity[i, k] waves[i, o, p, k], times factor deferred if there is one
KERNEL intensity_backward(
    complex* waves,              // [n, o, p, y, x], becomes grad_waves
    const real* grad_intensity,  // [n, y, x]
    const real* occupancy,       // [o]
    const double* deferred,      // [1] or null
    double factor,
    int object_modes,
    int probe_modes,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    real grad = 2 * deferred_scale(deferred, factor) * grad_intensity[size_t(at.row) * pixels + at.column];
    for (int o = 0; o < object_modes; ++o) {
        real weight = occupancy[o] * grad;
        for (int p = 0; p < probe_modes; ++p) {
            size_t i = ((size_t(at.row) * object_modes + o) * probe_modes + p) * pixels + at.column;
            waves[i] = weight * waves[i];
        }
    }
}
