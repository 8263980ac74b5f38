// V' = inverse(L) V and W' = (W - mean W) L with V V^H = L L^T power (real parts): W' V' + mean W V = W V.
#include "common.cuh"

// gram[a, b] = sum_k Re(conj(V_a) V_b); first stage, a row is a pair (a, b)
KERNEL normalise_variations_gram(
    double* partials,           // [v v, parts, 1]
    const complex* variations,  // [v, y, x]
    int terms,  // v
    size_t pixels,
    int parts) {
    Part at = part(parts);
    const complex* a = variations + size_t(at.row / terms) * pixels;
    const complex* b = variations + size_t(at.row % terms) * pixels;
    double sums[1] = {0};
    for (size_t k = at.first; k < pixels; k += at.stride)
        sums[0] += double(a[k].x) * double(b[k].x) + double(a[k].y) * double(b[k].y);
    store_part(partials, sums);
}

// means[v] = sum_i weights[i, v] (not yet divided by N); first stage, a row is a variation
KERNEL normalise_variations_means(
    double* partials,     // [v, parts, 1]
    const real* weights,  // [N, v]
    int terms,  // v
    size_t positions,     // N
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t i = at.first; i < positions; i += at.stride) sums[0] += weights[i * terms + at.row];
    store_part(partials, sums);
}

// gram = L L^T power in its lower triangle, inverse = inverse(L); one thread. A variation of nothing stays as it is.
KERNEL normalise_variations_factor(
    double* gram,     // [v, v] becomes L
    double* inverse,  // [v, v] lower triangle
    double power,
    int terms,  // v
    int threads) {  // 1
    if (int(element()) >= threads) return;
    for (int a = 0; a < terms; ++a) {
        for (int b = 0; b <= a; ++b) {
            double rest = gram[a * terms + b] / power;
            for (int c = 0; c < b; ++c) rest -= gram[a * terms + c] * gram[b * terms + c];
            if (b < a) gram[a * terms + b] = rest / gram[b * terms + b];
            else gram[a * terms + a] = rest > 1e-12 ? sqrt(rest) : 1.0;
        }
        for (int b = 0; b <= a; ++b) {
            double sum = a == b ? 1.0 : 0.0;
            for (int c = b; c < a; ++c) sum -= gram[a * terms + c] * inverse[c * terms + b];
            inverse[a * terms + b] = sum / gram[a * terms + a];
        }
    }
}

// probe[k] += sum_a mean_a V_a[k], then V_a = sum_b inverse[a, b] V_b
KERNEL normalise_variations_waves(
    complex* probe,         // [p, y, x], the first mode in place
    complex* variations,    // [v, y, x] in place
    const double* means,    // [v], N times the means
    const double* inverse,  // [v, v] lower triangle
    double share,           // 1 / N
    int terms,  // v
    size_t pixels) {
    size_t k = element();
    if (k >= pixels) return;
    double x = probe[k].x, y = probe[k].y;
    for (int a = 0; a < terms; ++a) {
        x += share * means[a] * variations[a * pixels + k].x;
        y += share * means[a] * variations[a * pixels + k].y;
    }
    probe[k] = {real(x), real(y)};
    for (int a = terms - 1; a >= 0; --a) {  // from the last: each needs those before it
        x = y = 0;
        for (int b = 0; b <= a; ++b) {
            x += inverse[a * terms + b] * variations[b * pixels + k].x;
            y += inverse[a * terms + b] * variations[b * pixels + k].y;
        }
        variations[a * pixels + k] = {real(x), real(y)};
    }
}

// weights[i, b] = sum_(a >= b) (weights[i, a] - mean_a) L[a, b]
KERNEL normalise_variations_weights(
    real* weights,        // [N, v] in place
    const double* means,  // [v], N times the means
    const double* lower,  // [v, v]
    double share,         // 1 / N
    int terms,  // v
    size_t positions) {   // N
    size_t i = element();
    if (i >= positions) return;
    for (int b = 0; b < terms; ++b) {  // from the first: each needs those after it
        double sum = 0;
        for (int a = b; a < terms; ++a) sum += (weights[i * terms + a] - share * means[a]) * lower[a * terms + b];
        weights[i * terms + b] = real(sum);
    }
}
