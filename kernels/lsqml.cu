// Least-squares maximum likelihood (Odstrcil, Menzel and Guizar-Sicairos, Opt. Express 26, 3108, 2018; several slices:
// Chen et al., Science 372, 826, 2021). L = sum (sqrt(I) - sqrt(M))^2; chi = -(dL/dI) psi is what the exit waves lack.
#include "common.cuh"

// grad = dL/dI = 1 - sqrt(M / I) where M is counted, else 0
KERNEL lsqml_residual(
    real* grad,             // [n, ky, kx]
    const real* intensity,  // [n, ky, kx]
    const real* measured,   // [n, ky, kx], negative where not counted
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real value = intensity[i] < INTENSITY_FLOOR ? INTENSITY_FLOOR : intensity[i];
    grad[i] = measured[i] < 0 ? real(0) : 1 - sqrt(measured[i] / value);
}

// power[y, x] += sum_i dose[i] sum_o occupancy[o] amplitude[o, 0, corner_i + (y, x)]^2; a thread per window pixel
KERNEL lsqml_window_power(
    real* power,            // [y, x] accumulated into
    const real* amplitude,  // [o, z, Y, X]
    const real* occupancy,  // [o]
    const real* doses,      // [n] or null, which is 1
    const int* corners,     // [N, 2]
    const int* indices,     // [n]
    int patterns,
    int object_modes,
    int canvas_width,
    int width,
    size_t object,  // z Y X
    size_t count) {  // y x
    size_t i = element();
    if (i >= count) return;
    real sum = 0;
    for (int n = 0; n < patterns; ++n) {
        real dose = doses ? doses[n] : real(1);
        size_t offset = canvas_offset(corners, indices[n], int(i), width, canvas_width);
        for (int o = 0; o < object_modes; ++o) {
            real a = amplitude[o * object + offset];
            sum += dose * occupancy[o] * a * a;
        }
    }
    power[i] += sum;
}

// direction = -direction / (2 (power + delta max(power))); 0 where there is no power at all
KERNEL lsqml_direction(
    complex* direction,     // [modes, pixels] in place, the gradient before
    const real* power,      // [pixels]
    const double* largest,  // [1]
    real delta,
    size_t pixels,
    size_t count) {  // modes pixels
    size_t i = element();
    if (i >= count) return;
    real weight = power[i - divide(i, pixels) * pixels] + delta * real(largest[0]);
    direction[i] = weight > 0 ? real(-0.5) / weight * direction[i] : complex{0, 0};
}

// per pattern, weighted by occupancy: (|u|^2, |v|^2, Re u* v, Re chi* u, Re chi* v); first stage, a row is a pattern
KERNEL lsqml_products(
    double* partials,             // [n, parts, 5]
    const complex* waves,         // [n, o, p, y, x] far field
    const complex* u,             // [n, o, p, y, x] its change along the object's direction
    const complex* v,             // [n, o, p, y, x] its change along the probe's direction
    const real* grad,             // [n, y, x] dL/dI
    const real* occupancy,        // [o]
    size_t mode,                  // p y x
    size_t pixels,                // y x
    size_t columns,               // o p y x
    int parts) {
    Part at = part(parts);
    double sums[5] = {0, 0, 0, 0, 0};
    for (size_t i = at.first; i < columns; i += at.stride) {
        size_t k = at.row * columns + i;
        double weight = occupancy[divide(i, mode)];
        double lack = -double(grad[at.row * pixels + (i - divide(i, pixels) * pixels)]);
        double ux = u[k].x, uy = u[k].y, vx = v[k].x, vy = v[k].y, x = lack * waves[k].x, y = lack * waves[k].y;
        sums[0] += weight * (ux * ux + uy * uy);
        sums[1] += weight * (vx * vx + vy * vy);
        sums[2] += weight * (ux * vx + uy * vy);
        sums[3] += weight * (x * ux + y * uy);
        sums[4] += weight * (x * vx + y * vy);
    }
    for (int k = 0; k < 5; ++k) {  // one by one: five at once would take 10 KB of shared memory
        double one[1] = {sums[k]};
        block_sum(one);
        if (threadIdx.x == 0) partials[size_t(blockIdx.x) * 5 + k] = one[0];
    }
}

// steps = mean over patterns of the (a, b) that minimise |chi - a u - b v|^2; one block
KERNEL lsqml_steps(
    double* steps,           // [2]
    const double* products,  // [n, 5]
    int patterns) {
    double sums[2] = {0, 0};
    for (int n = threadIdx.x; n < patterns; n += THREADS) {
        const double* p = products + 5 * size_t(n);
        double det = p[0] * p[1] - p[2] * p[2];
        bool apart = det > 1e-9 * p[0] * p[1];
        sums[0] += apart ? (p[3] * p[1] - p[4] * p[2]) / det : (p[0] > 0 ? p[3] / p[0] : 0.0);
        sums[1] += apart ? (p[4] * p[0] - p[3] * p[2]) / det : (p[1] > 0 && !(p[0] > 0) ? p[4] / p[1] : 0.0);
    }
    block_sum(sums);
    if (threadIdx.x == 0) {
        steps[0] = sums[0] / patterns;
        steps[1] = sums[1] / patterns;
    }
}

// a exp(i phi) += factor steps[0] direction, each of both with its factor; phi goes on and does not wrap
KERNEL lsqml_object(
    real* new_amplitude,       // [o, z, Y, X] or null; may be amplitude
    real* new_phase,           // [o, z, Y, X] or null; may be phase
    const real* amplitude,     // [o, z, Y, X]
    const real* phase,         // [o, z, Y, X]
    const complex* direction,  // [o, z, Y, X]
    const double* steps,       // [2]
    real amplitude_factor,
    real phase_factor,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real a = amplitude[i], phi = phase[i];
    complex step = real(steps[0]) * conj_times(phasor(phi), direction[i]);
    if (new_amplitude) new_amplitude[i] = sqrt(norm(complex{a + amplitude_factor * step.x, amplitude_factor * step.y}));
    if (new_phase) new_phase[i] = phi + atan2(phase_factor * step.y, a + phase_factor * step.x);
}

// probe += factor steps[1] direction
KERNEL lsqml_probe(
    complex* probe,            // [count] in place
    const complex* direction,  // [count]
    const double* steps,       // [2]
    real factor,
    size_t count) {
    size_t i = element();
    if (i < count) probe[i] += factor * real(steps[1]) * direction[i];
}
