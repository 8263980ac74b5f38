#include "common.cuh"

// amplitude = relax amplitude + (1 - relax) (1 - scale max(phase, 0)^power)
KERNEL mirror(
    real* amplitude,    // [count] in place
    const real* phase,  // [count]
    real scale,
    real power,
    real relax,
    real rest,  // 1 - relax
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real angle = phase[i] < 0 ? real(0) : phase[i];
    amplitude[i] = relax * amplitude[i] + rest * (1 - scale * pow(angle, power));
}
