#include "patterns.cuh"

// measured[i, k] = what pattern i of the batch counts at pixel k; arguments as in patterns.cuh, launched over (n, Y X)
KERNEL patterns(
    real* measured,  // [n, Y, X] zero frequency in the corner
    const VALUE* stored,
    const int* indices,
    const int* slots,
    const real* scale,
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
    int padded_width) {
    const Patterns<VALUE> patterns = {stored, indices, slots, scale, mask, weights, background, words, offsets, extras,
                                      bits, row_words, height, width, padded_height, padded_width};
    int pixels = padded_height * padded_width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    measured[size_t(at.row) * pixels + at.column] = decoded(patterns, at.row, at.column);
}
