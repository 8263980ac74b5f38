#include "patterns.cuh"

template <class T> DEVICE double number(T value) { return double(value); }
DEVICE double number(float16 value) {
    int exponent = (value.bits >> 10) & 31, fraction = value.bits & 1023;
    if (exponent == 31) return -1;  // infinite or NaN: does not count, as a negative value
    double size = exponent == 0 ? ldexp(double(fraction), -24) : ldexp(double(1024 + fraction), exponent - 25);
    return value.bits & 0x8000 ? -size : size;
}

// measured[i, k] = stored[slots[indices[i]], fftshift(k)] scale[indices[i]] in the middle, background[k] around it;
// -1 where the value does not count
KERNEL patterns(
    real* measured,                // [n, Y, X] zero frequency in the corner
    const VALUE* stored,           // [slots, ky, kx] beam in the centre
    const int* indices,            // [n]
    const int* slots,              // [N], or null where pattern i is stored[i]
    const real* scale,             // [N]
    const unsigned char* mask,     // [Y, X] zero frequency in the corner
    const unsigned char* weights,  // [N]
    const real* background,        // [Y, X] zero frequency in the corner, or null where Y X = ky kx
    int height,
    int width,
    int padded_height,
    int padded_width) {
    int pixels = padded_height * padded_width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int index = indices[at.row];
    int pixel = stored_pixel(at.column, height, width, padded_height, padded_width);
    double value;
    if (pixel >= 0)
        value = number(stored[size_t(slots ? slots[index] : index) * height * width + pixel]) * double(scale[index]);
    else
        value = double(ldg(&background[at.column]));
    bool counts = value >= 0 && is_finite(value) && mask[at.column] && weights[index];
    measured[size_t(at.row) * pixels + at.column] = counts ? real(value) : real(-1);
}
