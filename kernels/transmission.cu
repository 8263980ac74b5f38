#include "common.cuh"

// transmission = amplitude exp(i phase)
KERNEL transmission_forward(
    complex* transmission,  // [count] = [o, z, Y, X]
    const real* amplitude,  // [count]
    const real* phase,      // [count]
    size_t count) {
    size_t i = element();
    if (i < count) transmission[i] = amplitude[i] * phasor(phase[i]);
}

// grad_amplitude += Re(conj(grad) exp(i phase)); grad_phase += Im(grad conj(transmission))
KERNEL transmission_backward(
    real* grad_amplitude,   // [count] or null, accumulated into
    real* grad_phase,       // [count] or null, accumulated into
    const complex* grad,    // [count]
    const real* amplitude,  // [count]
    const real* phase,      // [count]
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    complex turned = conj_times(phasor(phase[i]), grad[i]);
    if (grad_amplitude) grad_amplitude[i] += turned.x;
    if (grad_phase) grad_phase[i] += amplitude[i] * turned.y;
}
