// probe' = V^H probe, V the eigenvectors of the modes' Gram matrix, strongest first (Thibault and Menzel 2013).
#include "common.cuh"

DEVICE complex128 conj_of(complex128 a) { return {a.x, -a.y}; }
DEVICE complex128 operator*(complex128 a, complex128 b) { return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x}; }
DEVICE complex128 operator*(double a, complex128 b) { return {a * b.x, a * b.y}; }
DEVICE complex128 operator+(complex128 a, complex128 b) { return {a.x + b.x, a.y + b.y}; }

// gram[a, b] = sum_k probe[a, k] conj(probe[b, k]); first stage, a row is a pair (a, b)
KERNEL orthogonalise_gram(
    double* partials,      // [p p, parts, 2]
    const complex* probe,  // [p, y, x]
    int probe_modes,
    size_t pixels,
    int parts) {
    Part at = part(parts);
    const complex* a = probe + size_t(at.row / probe_modes) * pixels;
    const complex* b = probe + size_t(at.row % probe_modes) * pixels;
    double sums[2] = {0, 0};
    for (size_t k = at.first; k < pixels; k += at.stride) {
        sums[0] += double(a[k].x) * double(b[k].x) + double(a[k].y) * double(b[k].y);
        sums[1] += double(a[k].y) * double(b[k].x) - double(a[k].x) * double(b[k].y);
    }
    store_part(partials, sums);
}

// Cyclic complex Jacobi rotations until no off-diagonal element matters; one block.
// Each rotation U = [[c, s u], [-s conj(u), c]], u = gram[a, b] / |gram[a, b]|, zeroes gram[a, b]: columns a, b of gram
// and vectors are mixed by U, then rows a, b of gram by U^H. Nearly orthogonal modes keep their phases.
KERNEL orthogonalise_eigen(
    complex128* sorted,   // [p, p] eigenvectors in columns, largest eigenvalue first
    complex128* vectors,  // [p, p] scratch
    complex128* gram,     // [p, p] Hermitian, overwritten
    int probe_modes) {
    int p = probe_modes;
    for (int i = threadIdx.x; i < p * p; i += THREADS) vectors[i] = {i / p == i % p ? 1.0 : 0.0, 0.0};
    __syncthreads();
    bool rotated = p > 1;
    for (int sweep = 0; sweep < 40 && rotated; ++sweep) {
        rotated = false;
        for (int a = 0; a < p - 1; ++a)
            for (int b = a + 1; b < p; ++b) {
                complex128 g = gram[a * p + b];
                double low = gram[a * p + a].x, high = gram[b * p + b].x, size = hypot(g.x, g.y);
                __syncthreads();  // all have read before any writes
                if (size <= 1e-16 * sqrt(fabs(low * high)) || size == 0) continue;  // the same in every thread
                rotated = true;
                complex128 turn = {g.x / size, g.y / size};
                double tau = (high - low) / (2 * size);
                double tangent = (tau < 0 ? -1.0 : 1.0) / (fabs(tau) + sqrt(1 + tau * tau));
                double c = 1 / sqrt(1 + tangent * tangent), s = tangent * c;
                for (int k = threadIdx.x; k < p; k += THREADS) {
                    complex128 ga = gram[k * p + a], gb = gram[k * p + b];
                    complex128 va = vectors[k * p + a], vb = vectors[k * p + b];
                    gram[k * p + a] = c * ga + (-s) * (conj_of(turn) * gb);
                    gram[k * p + b] = s * (turn * ga) + c * gb;
                    vectors[k * p + a] = c * va + (-s) * (conj_of(turn) * vb);
                    vectors[k * p + b] = s * (turn * va) + c * vb;
                }
                __syncthreads();
                for (int k = threadIdx.x; k < p; k += THREADS) {
                    complex128 ga = gram[a * p + k], gb = gram[b * p + k];
                    gram[a * p + k] = c * ga + (-s) * (turn * gb);
                    gram[b * p + k] = s * (conj_of(turn) * ga) + c * gb;
                }
                __syncthreads();
            }
    }
    for (int i = threadIdx.x; i < p; i += THREADS) {
        int rank = 0;
        for (int j = 0; j < p; ++j) {
            double other = gram[j * p + j].x, own = gram[i * p + i].x;
            rank += other > own || (other == own && j < i);
        }
        for (int k = 0; k < p; ++k) sorted[k * p + rank] = vectors[k * p + i];
    }
}

// rotated[b, k] = sum_a conj(vectors[a, b]) probe[a, k]; launched over (p, y x)
KERNEL orthogonalise_rotate(
    complex* rotated,           // [p, y, x]
    const complex* probe,       // [p, y, x]
    const complex128* vectors,  // [p, p]
    int probe_modes,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex128 sum = {0, 0};
    for (int a = 0; a < probe_modes; ++a) {
        complex value = probe[size_t(a) * pixels + at.column];
        sum = sum + conj_of(vectors[a * probe_modes + at.row]) * complex128{double(value.x), double(value.y)};
    }
    rotated[size_t(at.row) * pixels + at.column] = {real(sum.x), real(sum.y)};
}
