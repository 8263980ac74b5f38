#include "common.cuh"

// g = grad + decay x; s = rho s + (1 - rho) g^2; d = g sqrt(u + eps) / sqrt(s + eps); u = rho u + (1 - rho) d^2;
// x -= rate d  (Zeiler 2012, as torch.optim.Adadelta)
KERNEL adadelta(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* squares,     // [count] in place, of gradients
    real* updates,     // [count] in place, squares of updates
    const real* grad,  // [count]
    real rate,
    real rho,
    real rho_rest,  // 1 - rho, rounded once
    real eps,
    real decay,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x;
    real s = rho * squares[i] + rho_rest * (g * g), u = updates[i];
    real d = g * (sqrt(u + eps) / sqrt(s + eps));
    squares[i] = s;
    updates[i] = rho * u + rho_rest * (d * d);
    parameter[i] = x - rate * d;
}
