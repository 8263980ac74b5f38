#include "common.cuh"

template <class T> DEVICE double number(T value) { return double(value); }
DEVICE double number(float16 value) {
    int exponent = (value.bits >> 10) & 31, fraction = value.bits & 1023;
    if (exponent == 31) return -1;  // infinite or NaN: does not count, as a negative value
    double size = exponent == 0 ? ldexp(double(fraction), -24) : ldexp(double(1024 + fraction), exponent - 25);
    return value.bits & 0x8000 ? -size : size;
}

// measured[i, k] = stored[indices[i], fftshift(k)] scale[indices[i]]; -1 where the value does not count
KERNEL patterns(
    real* measured,                // [n, ky, kx] zero frequency in the corner
    const VALUE* stored,           // [N, ky, kx] beam in the centre
    const int* indices,            // [n]
    const real* scale,             // [N]
    const unsigned char* mask,     // [ky, kx] zero frequency in the corner
    const unsigned char* weights,  // [N]
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int index = indices[at.row];
    int y = at.column / width, x = at.column - y * width;
    int centred_y = (y + height / 2) % height, centred_x = (x + width / 2) % width;
    double value = number(stored[size_t(index) * pixels + size_t(centred_y) * width + centred_x]);
    bool counts = value >= 0 && is_finite(value) && mask[at.column] && weights[index];
    measured[size_t(at.row) * pixels + at.column] = counts ? real(value * double(scale[index])) : real(-1);
}
