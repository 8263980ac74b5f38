#include "common.cuh"

// step = min(max(step f, least), most), f = grow where g agrees in sign with the one before, shrink where it does not
// (and g = 0 then), 1 where one of them is 0; x -= sign(g) step  (Riedmiller and Braun 1993, as torch.optim.Rprop)
KERNEL rprop(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* previous,    // [count] in place
    real* steps,       // [count] in place
    const real* grad,  // [count]
    real shrink,
    real grow,
    real least,
    real most,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real g = grad[i], agreement = g * previous[i];
    real step = steps[i] * (agreement > 0 ? grow : (agreement < 0 ? shrink : real(1)));
    step = step < least ? least : (step > most ? most : step);
    if (agreement < 0) g = 0;
    previous[i] = g;
    steps[i] = step;
    parameter[i] -= g > 0 ? step : (g < 0 ? -step : g);
}
