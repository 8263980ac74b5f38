#include "common.cuh"

// g = grad + decay x; x = keep x - eta g; average += weight (x - average)
// (Polyak and Juditsky 1992, as torch.optim.ASGD; keep = 1 - lambd eta)
KERNEL asgd(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* average,     // [count] in place
    const real* grad,  // [count]
    real eta,
    real keep,
    real weight,
    real decay,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x;
    x = keep * x - eta * g;
    parameter[i] = x;
    average[i] = weight == 1 ? x : average[i] + weight * (x - average[i]);
}
