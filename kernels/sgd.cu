#include "common.cuh"

// g = grad + decay x; b = momentum b + fresh g; x -= rate (ahead g + weight b), without a buffer x -= rate g
// (torch.optim.SGD; plain momentum has ahead 0 and weight 1, Nesterov's ahead 1 and weight momentum)
KERNEL sgd(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* buffer,      // [count] in place, or null
    const real* grad,  // [count]
    real rate,
    real momentum,
    real fresh,  // 1 - dampening, 1 at the first step
    real ahead,
    real weight,
    real decay,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x, direction = g;
    if (buffer) {
        real b = momentum * buffer[i] + fresh * g;
        buffer[i] = b;
        direction = ahead * g + weight * b;
    }
    parameter[i] = x - rate * direction;
}
