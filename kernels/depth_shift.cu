#include "common.cuh"

// amplitude, phase of sum_m taps[(k - m) mod z] transmission[o, m]; of all phases that differ by whole turns, the one
// nearest to sum_m Re(taps[(k - m) mod z]) before[o, m]
KERNEL depth_shift(
    real* amplitude,              // [o, z, Y, X]
    real* phase,                  // [o, z, Y, X]
    const complex* transmission,  // [o, z, Y, X]
    const real* before,           // [o, z, Y, X] phase of the transmission, not wrapped
    const complex* taps,          // [z]
    int slices,
    size_t pixels,  // Y X
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    size_t plane = divide(i, pixels), mode = divide(plane, slices);
    int k = int(plane - mode * slices);
    size_t first = mode * slices * pixels + (i - plane * pixels);
    complex sum = {0, 0};
    real expected = 0;
    for (int m = 0; m < slices; ++m) {
        complex tap = ldg(&taps[k >= m ? k - m : k - m + slices]);
        sum += tap * transmission[first + m * pixels];
        expected += tap.x * before[first + m * pixels];
    }
    real angle = atan2(sum.y, sum.x), turn = real(6.283185307179586);
    amplitude[i] = sqrt(norm(sum));
    phase[i] = angle + turn * rint((expected - angle) / turn);
}
