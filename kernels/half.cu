// Waves in half precision with a power of two of their own, for those that only an adjoint reads again.
#include "common.cuh"

struct alignas(4) half_complex {
    float16 x, y;
};

// Nearest, ties to even; infinite from 65520 on.
DEVICE float16 rounded(float value) {
    union {
        float number;
        unsigned bits;
    } given = {value};
    unsigned sign = (given.bits >> 16) & 0x8000, size = given.bits & 0x7fffffff;
    if (size >= 0x47800000) return {(unsigned short)(sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00))};
    if (size < 0x38800000)  // below 2^-14 the last place is always 2^-24
        return {(unsigned short)(sign | unsigned(rint(fabs(value) * 16777216.0f)))};
    return {(unsigned short)(sign | ((size + 0xfff + ((size >> 13) & 1) - 0x38000000) >> 13))};
}

DEVICE float widened(float16 half) {
    union {
        unsigned bits;
        float number;
    } result = {(half.bits & 0x7fffu) << 13};
    result.number *= 5.192296858534828e33f;  // 2^112, the difference of the exponents' biases
    if ((half.bits & 0x7c00) == 0x7c00) result.bits |= 0x7f800000;
    result.bits |= (half.bits & 0x8000u) << 16;
    return result.number;
}

// The power of two that brings the largest component to 2^14 .. 2^15; 1 where that is zero or not finite.
DEVICE double scale_of(double largest) {
    if (!(largest > 0) || !is_finite(largest)) return 1;
    int exponent;
    frexp(largest, &exponent);
    exponent -= 15;
    return ldexp(1.0, exponent < -126 ? -126 : exponent);
}

// partials = max(|Re waves|, |Im waves|) of each part of a wave; NaN does not count
KERNEL half_largest(
    double* partials,      // [waves, parts]
    const complex* waves,  // [waves, pixels]
    int pixels,
    int parts) {
    SHARED_ARRAY(double, buffer, THREADS);
    Part at = part(parts);
    double largest = 0;
    for (size_t i = at.first; i < size_t(pixels); i += at.stride) {
        complex wave = waves[size_t(at.row) * pixels + i];
        largest = fmax(largest, fmax(fabs(double(wave.x)), fabs(double(wave.y))));
    }
    buffer[threadIdx.x] = largest;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (int(threadIdx.x) < half) buffer[threadIdx.x] = fmax(buffer[threadIdx.x], buffer[threadIdx.x + half]);
        __syncthreads();
    }
    if (threadIdx.x == 0) partials[blockIdx.x] = buffer[0];
}

// halves = waves / scales, scales = 2^k with max |halves| in 2^14 .. 2^15; launched over (waves, pixels)
KERNEL half_encode(
    float16* halves,         // [waves, pixels, 2]
    real* scales,            // [waves]
    const complex* waves,    // [waves, pixels]
    const double* partials,  // [waves, parts]
    int pixels,
    int parts) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    double largest = 0;
    for (int i = 0; i < parts; ++i) largest = fmax(largest, partials[size_t(at.row) * parts + i]);
    double scale = scale_of(largest);
    if (at.column == 0) scales[at.row] = real(scale);
    size_t i = size_t(at.row) * pixels + at.column;
    complex wave = real(1 / scale) * waves[i];
    reinterpret_cast<half_complex*>(halves)[i] = {rounded(float(wave.x)), rounded(float(wave.y))};
}

// waves = halves scales; launched over (waves, pixels)
KERNEL half_decode(
    complex* waves,         // [waves, pixels]
    const float16* halves,  // [waves, pixels, 2]
    const real* scales,     // [waves]
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    size_t i = size_t(at.row) * pixels + at.column;
    half_complex half = reinterpret_cast<const half_complex*>(halves)[i];
    waves[i] = scales[at.row] * complex{widened(half.x), widened(half.y)};
}
