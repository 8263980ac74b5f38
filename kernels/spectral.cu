// Filters of spectra, or masks of waves: products with real weights.
#include "common.cuh"

// waves[r, k] *= mask[k]
KERNEL spectral_filter(
    complex* waves,    // [rows, size] in place
    const real* mask,  // [size]
    size_t size,
    size_t count) {
    size_t i = element();
    if (i < count) waves[i] = ldg(&mask[i - divide(i, size) * size]) * waves[i];
}

// waves *= (1 - 2/pi atan((beta |k_z|)^2 / (k^2 + 1e-3))) exp(-alpha k^2), k^2 = k_y^2 + k_x^2 in cycles per px
KERNEL spectral_wedge(
    complex* waves,     // [o, z, Y, X] in place
    const real* depth,  // [z] |k_z| in cycles per slice
    real alpha,
    real beta,
    int slices,
    int height,
    int width,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    size_t row = divide(i, width), plane = divide(row, height), mode = divide(plane, slices);
    real y = frequency(int(row - plane * height), height), x = frequency(int(i - row * width), width);
    real squared = y * y + x * x, rise = beta * depth[int(plane - mode * slices)];
    real wedge = 1 - real(0.6366197723675814) * atan(rise * rise / (squared + real(1e-3)));
    waves[i] = (wedge * exp(-alpha * squared)) * waves[i];
}
