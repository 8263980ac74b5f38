// I^p and M^p as the data losses use them.
#pragma once
#include "common.cuh"

DEVICE real raise(real base, real power) {
    if (power == real(0.5)) return sqrt(base);
    if (power == real(1)) return base;
    return pow(base, power);
}

// I^p and d(I^p)/dI; the floor keeps both finite at I = 0.
DEVICE real model_power(real intensity, real power) {
    return raise(intensity > INTENSITY_FLOOR ? intensity : INTENSITY_FLOOR, power);
}
DEVICE real model_slope(real intensity, real power) {
    return power * raise(intensity > INTENSITY_FLOOR ? intensity : INTENSITY_FLOOR, power - 1);
}
