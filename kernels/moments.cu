// Sums and first moments, for centres of mass, slopes and means.
#include "common.cuh"

// moments[r] = sum over (y, x) of |w|^2 (1, y, x, |w|^2) for w = waves[r, y, x]; first stage
KERNEL moments_wave(
    double* partials,      // [rows, parts, 4]
    const complex* waves,  // [rows, y, x]
    int height,
    int width,
    int parts) {
    size_t pixels = size_t(height) * width;
    Part at = part(parts);
    double sums[4] = {0, 0, 0, 0};
    for (size_t k = at.first; k < pixels; k += at.stride) {
        complex wave = waves[at.row * pixels + k];
        double power = double(wave.x) * double(wave.x) + double(wave.y) * double(wave.y);
        int y = int(k) / width, x = int(k) - y * width;
        sums[0] += power;
        sums[1] += y * power;
        sums[2] += x * power;
        sums[3] += power * power;
    }
    store_part(partials, sums);
}

// moments[r] = sum over a box of values[r, y, x] (1, y - y0, x - x0), (y0, x0) the middle of the box; first stage
KERNEL moments_plane(
    double* partials,    // [rows, parts, 3]
    const real* values,  // [rows, Y, X]
    int top,
    int left,
    int box_height,
    int box_width,
    int height,
    int width,
    int parts) {
    size_t pixels = size_t(box_height) * box_width;
    Part at = part(parts);
    const real* plane = values + size_t(at.row) * height * width;
    double sums[3] = {0, 0, 0};
    for (size_t k = at.first; k < pixels; k += at.stride) {
        int y = int(k) / box_width, x = int(k) - y * box_width;
        double value = plane[size_t(top + y) * width + (left + x)];
        sums[0] += value;
        sums[1] += (y - 0.5 * (box_height - 1)) * value;
        sums[2] += (x - 0.5 * (box_width - 1)) * value;
    }
    store_part(partials, sums);
}
