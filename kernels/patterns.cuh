// Measured patterns of a batch, however they are stored: what one pixel counts.
#pragma once
#include "common.cuh"

// Arguments of every kernel that reads patterns. `scale` is null where they are decoded already: stored [n, Y, X].
template <class T> struct Patterns {
    const T* stored;               // [slots, ky, kx] beam in the centre; of packed ones the pixels of entries [K]
    const int* indices;            // [n]
    const int* slots;              // [N], or null where pattern i is stored[i]
    const real* scale;             // [N]
    const unsigned char* mask;     // [Y, X] zero frequency in the corner
    const unsigned char* weights;  // [N]
    const real* background;        // [Y, X] zero frequency in the corner, or null where Y X = ky kx
    const unsigned* words;         // [N, row_words] codes, the first pixel in the lowest bits; null where bits = 0
    const size_t* offsets;         // [N + 1] entries of each pattern, pixels ascending; null where nothing is packed
    const unsigned char* extras;   // [K]
    int bits, row_words, height, width, padded_height, padded_width;
};

template <class T> DEVICE double number(T value) { return double(value); }
DEVICE double number(float16 value) {
    int exponent = (value.bits >> 10) & 31, fraction = value.bits & 1023;
    if (exponent == 31) return -1;  // infinite or NaN: does not count, as a negative value
    double size = exponent == 0 ? ldexp(double(fraction), -24) : ldexp(double(1024 + fraction), exponent - 25);
    return value.bits & 0x8000 ? -size : size;
}

template <class T> DEVICE unsigned entry_pixel(T value) { return unsigned(value); }
DEVICE unsigned entry_pixel(float16 value) { return value.bits; }

// The pixel of [height, width], beam in the centre, that lies at pixel `column` of [padded_height, padded_width], zero
// frequency in the corner; -1 where there is none. The beam is at n / 2 of both grids.
DEVICE int stored_pixel(int column, int height, int width, int padded_height, int padded_width) {
    int y = column / padded_width, x = column - y * padded_width;
    int row = (y + padded_height / 2) % padded_height - (padded_height / 2 - height / 2);
    int place = (x + padded_width / 2) % padded_width - (padded_width / 2 - width / 2);
    return row >= 0 && row < height && place >= 0 && place < width ? row * width + place : -1;
}

// A code, and the sum of the extras of its pixel if the code is the largest there is.
template <class T> DEVICE unsigned packed_count(const Patterns<T>& patterns, int index, int pixel) {
    unsigned full = (1u << patterns.bits) - 1, count = 0;
    if (patterns.bits > 0) {
        size_t bit = size_t(pixel) * patterns.bits;
        count = (patterns.words[size_t(index) * patterns.row_words + (bit >> 5)] >> (bit & 31)) & full;
    }
    if (count < full) return count;
    size_t first = patterns.offsets[index], end = patterns.offsets[index + 1];
    for (size_t last = end; first < last;) {  // the first entry that is not before this pixel
        size_t middle = first + (last - first) / 2;
        if (entry_pixel(patterns.stored[middle]) < unsigned(pixel))
            first = middle + 1;
        else
            last = middle;
    }
    for (; first < end && entry_pixel(patterns.stored[first]) == unsigned(pixel); ++first)
        count += patterns.extras[first];
    return count;
}

// Pixel `column` of pattern `row` of the batch, zero frequency in the corner: what was stored times its scale, in the
// middle, the background around it; -1 where the value does not count.
template <class T> DEVICE real decoded(const Patterns<T>& patterns, int row, int column) {
    if (!patterns.scale) {
        size_t pixels = size_t(patterns.padded_height) * patterns.padded_width;
        return real(number(patterns.stored[row * pixels + column]));
    }
    int index = patterns.indices[row], height = patterns.height, width = patterns.width;
    int pixel = stored_pixel(column, height, width, patterns.padded_height, patterns.padded_width);
    double value;
    if (pixel < 0) {
        value = double(ldg(&patterns.background[column]));
    } else if (patterns.offsets) {
        // counts are at most 2^24: rounded once, as below
        value = double(real(packed_count(patterns, index, pixel)) * patterns.scale[index]);
    } else {
        int slot = patterns.slots ? patterns.slots[index] : index;
        value = number(patterns.stored[size_t(slot) * height * width + pixel]) * double(patterns.scale[index]);
    }
    bool counts = value >= 0 && is_finite(value) && patterns.mask[column] && patterns.weights[index];
    return counts ? real(value) : real(-1);
}
