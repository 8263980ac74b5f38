// Linear ramps about a centre: taken out of real planes, or as phases put on waves.
#include "common.cuh"

// values[r, y, x] -= offset + slope_y (y - centre_y) + slope_x (x - centre_x); launched over (rows, Y X)
KERNEL ramp_subtract(
    real* values,  // [rows, Y, X] in place
    real offset,
    real slope_y,
    real slope_x,
    real centre_y,
    real centre_x,
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    int y = at.column / width, x = at.column - y * width;
    values[size_t(at.row) * height * width + at.column] -=
        offset + slope_y * (y - centre_y) + slope_x * (x - centre_x);
}

// waves[r, y, x] *= exp(i (slope_y (y - centre_y) + slope_x (x - centre_x))); launched over (rows, y x)
KERNEL ramp_modulate(
    complex* waves,  // [rows, y, x] in place
    real slope_y,    // rad/px
    real slope_x,
    real centre_y,
    real centre_x,
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    int y = at.column / width, x = at.column - y * width;
    size_t i = size_t(at.row) * height * width + at.column;
    waves[i] = phasor(slope_y * (y - centre_y) + slope_x * (x - centre_x)) * waves[i];
}
