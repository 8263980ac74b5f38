// A = (1 + a_0) D R S for row vectors (y, x): D = diag(1 + a_1 / 2, 1 - a_1 / 2), R = [[c, s], [-s, c]] of a_2 degrees,
// S = [[1, 0], [t, 1]] with t = tan(a_3 degrees).
#include "common.cuh"

#define RADIANS_PER_DEGREE 0.017453292519943295

struct Affine {
    double scale, stretch[2], cosine, sine, tangent;
};
DEVICE Affine affine_of(const real* affine) {
    Affine a;
    a.scale = 1 + double(affine[0]);
    a.stretch[0] = 1 + double(affine[1]) / 2;
    a.stretch[1] = 1 - double(affine[1]) / 2;
    sin_cos(double(affine[2]) * RADIANS_PER_DEGREE, &a.sine, &a.cosine);
    a.tangent = tan(double(affine[3]) * RADIANS_PER_DEGREE);
    return a;
}

// moved[i] = shifts[i] + nominal[indices[i]] (A - 1)
KERNEL scan_affine_forward(
    real* moved,          // [n, 2] px
    const real* shifts,   // [n, 2] px
    const real* nominal,  // [N, 2] px
    const int* indices,   // [n]
    const real* affine,   // [4]
    size_t count) {       // n
    size_t i = element();
    if (i >= count) return;
    Affine a = affine_of(affine);
    double y = nominal[2 * size_t(indices[i])], x = nominal[2 * size_t(indices[i]) + 1];
    double along = a.scale * a.stretch[0] * y, across = a.scale * a.stretch[1] * x;
    moved[2 * i] = real(shifts[2 * i] + along * (a.cosine + a.tangent * a.sine) +
                        across * (a.tangent * a.cosine - a.sine) - y);
    moved[2 * i + 1] = real(shifts[2 * i + 1] + along * a.sine + across * a.cosine - x);
}

// sums = sum_i (y g_y, y g_x, x g_y, x g_x), (y, x) = nominal[indices[i]]; first stage
KERNEL scan_affine_backward_sums(
    double* partials,     // [parts, 4]
    const real* grad,     // [n, 2]
    const real* nominal,  // [N, 2] px
    const int* indices,   // [n]
    size_t count,         // n
    int parts) {
    Part at = part(parts);
    double sums[4] = {0, 0, 0, 0};
    for (size_t i = at.first; i < count; i += at.stride) {
        double y = nominal[2 * size_t(indices[i])], x = nominal[2 * size_t(indices[i]) + 1];
        sums[0] += y * grad[2 * i];
        sums[1] += y * grad[2 * i + 1];
        sums[2] += x * grad[2 * i];
        sums[3] += x * grad[2 * i + 1];
    }
    store_part(partials, sums);
}

// grad_affine[p] += sum_ab sums[a, b] dA[a, b] / da_p; one thread
KERNEL scan_affine_backward(
    real* grad_affine,   // [4] accumulated into
    const double* sums,  // [4]
    const real* affine,  // [4]
    int threads) {       // 1
    if (int(element()) >= threads) return;
    Affine a = affine_of(affine);
    double c = a.cosine, s = a.sine, t = a.tangent, slope = (1 + t * t) * RADIANS_PER_DEGREE;
    double first = sums[0] * (c + t * s) + sums[1] * s, second = sums[2] * (t * c - s) + sums[3] * c;
    double turned_first = sums[0] * (t * c - s) + sums[1] * c, turned_second = -sums[2] * (c + t * s) - sums[3] * s;
    grad_affine[0] += real(a.stretch[0] * first + a.stretch[1] * second);
    grad_affine[1] += real(a.scale * (first - second) / 2);
    grad_affine[2] +=
        real(a.scale * RADIANS_PER_DEGREE * (a.stretch[0] * turned_first + a.stretch[1] * turned_second));
    grad_affine[3] += real(a.scale * slope * (a.stretch[0] * s * sums[0] + a.stretch[1] * c * sums[2]));
}
