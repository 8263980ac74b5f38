#include "common.cuh"

// g = grad + decay x; s = alpha s + (1 - alpha) g^2; m += (1 - alpha) (g - m); d = g / (sqrt(s - m^2) + eps);
// b = momentum b + d; x -= rate b. Without a mean s - m^2 is s, without a buffer b is d.
// (Tieleman and Hinton 2012, centred: Graves 2013, as torch.optim.RMSprop)
KERNEL rmsprop(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* squares,     // [count] in place
    real* mean,        // [count] in place, or null
    real* buffer,      // [count] in place, or null
    const real* grad,  // [count]
    real rate,
    real alpha,
    real alpha_rest,  // 1 - alpha, rounded once
    real eps,
    real momentum,
    real decay,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x;
    real s = alpha * squares[i] + alpha_rest * (g * g);
    squares[i] = s;
    if (mean) {
        real m = mean[i] + alpha_rest * (g - mean[i]);
        mean[i] = m;
        s -= m * m;
    }
    real direction = g / (sqrt(s) + eps);
    if (buffer) {
        direction += momentum * buffer[i];
        buffer[i] = direction;
    }
    parameter[i] = x - rate * direction;
}
