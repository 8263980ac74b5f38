// I^p and M^p as the data losses use them.
#pragma once
#include "common.cuh"

DEVICE real raise(real base, real power) {
    if (power == real(0.5)) return sqrt(base);
    if (power == real(1)) return base;
    return pow(base, power);
}

// I^p and d(I^p)/dI stay finite at I = 0. A NaN passes, so that divergence is seen.
DEVICE real floored(real intensity) { return intensity < INTENSITY_FLOOR ? INTENSITY_FLOOR : intensity; }
