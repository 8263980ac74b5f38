#include "patterns.cuh"

// measured[i, k] = count[indices[i], fftshift(k)] scale[indices[i]] in the middle, background[k] around it, -1 where
// the value does not count; count = code + sum of the extras of its pixel, if the code is the largest there is
KERNEL packed_patterns(
    real* measured,                // [n, Y, X] zero frequency in the corner
    const unsigned* words,         // [N, row_words] codes, the first pixel in the lowest bits; null where bits = 0
    const size_t* offsets,         // [N + 1] entries of each pattern
    const VALUE* numbers,          // [K] pixels of entries, ascending in every pattern
    const unsigned char* extras,   // [K]
    const int* indices,            // [n]
    const real* scale,             // [N]
    const unsigned char* mask,     // [Y, X] zero frequency in the corner
    const unsigned char* weights,  // [N]
    const real* background,        // [Y, X] zero frequency in the corner, or null where Y X = ky kx
    int bits,
    int row_words,
    int height,
    int width,
    int padded_height,
    int padded_width) {
    int pixels = padded_height * padded_width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int index = indices[at.row];
    int pixel = stored_pixel(at.column, height, width, padded_height, padded_width);
    real value;
    if (pixel >= 0) {
        unsigned full = (1u << bits) - 1, count = 0;
        if (bits > 0) {
            size_t bit = size_t(pixel) * bits;
            count = (words[size_t(index) * row_words + (bit >> 5)] >> (bit & 31)) & full;
        }
        if (count == full) {
            size_t first = offsets[index], end = offsets[index + 1];
            for (size_t last = end; first < last;) {  // the first entry that is not before this pixel
                size_t middle = first + (last - first) / 2;
                if (numbers[middle] < unsigned(pixel))
                    first = middle + 1;
                else
                    last = middle;
            }
            for (; first < end && numbers[first] == unsigned(pixel); ++first) count += extras[first];
        }
        value = real(count) * scale[index];  // counts are at most 2^24: rounded once, as in patterns
    } else {
        value = ldg(&background[at.column]);
    }
    bool counts = value >= 0 && is_finite(value) && mask[at.column] && weights[index];
    measured[size_t(at.row) * pixels + at.column] = counts ? value : real(-1);
}
