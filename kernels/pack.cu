// Real arrays as complex ones and back, around the transforms of filters.
#include "common.cuh"

// waves = values
KERNEL pack_forward(
    complex* waves,      // [count]
    const real* values,  // [count]
    size_t count) {
    size_t i = element();
    if (i < count) waves[i] = {values[i], 0};
}

// values = Re(waves)
KERNEL pack_backward(
    real* values,          // [count]
    const complex* waves,  // [count]
    size_t count) {
    size_t i = element();
    if (i < count) values[i] = waves[i].x;
}
