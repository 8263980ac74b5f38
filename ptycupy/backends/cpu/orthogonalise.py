"""Orthogonal modes of the same mixed state: eigenvectors of the Gram matrix by Jacobi rotations."""

from __future__ import annotations

import math

import numpy as np

from ptycupy.backends.cpu.jit import jit
from ptycupy.backends.interface import Array

MAX_SWEEPS = 30  # it converges quadratically: 5 to 8 sweeps in practice
NEGLIGIBLE = 1e-16  # overlap of two modes, relative to their strengths, that double precision cannot see


@jit
def gram(modes: Array) -> Array:
    """complex128 [p, p] of sum over pixels of modes[a] conj(modes[b]); modes [p, K]."""
    count, pixels = modes.shape
    matrix = np.zeros((count, count), np.complex128)
    for a in range(count):
        for b in range(a + 1):
            total = 0j
            for k in range(pixels):
                total += np.complex128(modes[a, k]) * np.complex128(modes[b, k].conjugate())
            matrix[a, b] = total
            matrix[b, a] = total.conjugate()
        matrix[a, a] = matrix[a, a].real
    return matrix


@jit
def eigenvectors(matrix: Array) -> Array:
    """Columns V with V^H matrix V diagonal, largest eigenvalue first; overwrites the Hermitian matrix.

    Cyclic Jacobi: each rotation [[c, s u], [-s conj(u), c]], u = a_pq / |a_pq|, zeroes one element; the smaller
    angle is taken, so that nearly orthogonal modes stay nearly as they are.
    """
    count = matrix.shape[0]
    vectors = np.zeros((count, count), np.complex128)
    for p in range(count):
        vectors[p, p] = 1
    for _ in range(MAX_SWEEPS):
        rotated = False
        for p in range(count):
            for q in range(p + 1, count):
                size = abs(matrix[p, q])
                if size == 0 or size <= NEGLIGIBLE * math.sqrt(abs(matrix[p, p].real * matrix[q, q].real)):
                    continue
                rotated = True
                phase = matrix[p, q] / size
                tau = (matrix[q, q].real - matrix[p, p].real) / (2 * size)
                tangent = (1.0 if tau >= 0 else -1.0) / (abs(tau) + math.hypot(tau, 1.0))
                cosine = 1 / math.hypot(tangent, 1.0)
                sine = tangent * cosine * phase
                for k in range(count):  # columns: matrix J and vectors J
                    a, b = matrix[k, p], matrix[k, q]
                    matrix[k, p] = cosine * a - sine.conjugate() * b
                    matrix[k, q] = sine * a + cosine * b
                    a, b = vectors[k, p], vectors[k, q]
                    vectors[k, p] = cosine * a - sine.conjugate() * b
                    vectors[k, q] = sine * a + cosine * b
                for k in range(count):  # rows: J^H matrix
                    a, b = matrix[p, k], matrix[q, k]
                    matrix[p, k] = cosine * a - sine * b
                    matrix[q, k] = sine.conjugate() * a + cosine * b
        if not rotated:
            break
    ordered = np.empty_like(vectors)
    for p in range(count):
        rank = 0
        for q in range(count):
            stronger = matrix[q, q].real > matrix[p, p].real
            rank += 1 if stronger or (matrix[q, q].real == matrix[p, p].real and q < p) else 0
        for k in range(count):
            ordered[k, rank] = vectors[k, p]
    return ordered


@jit
def rotate(modes: Array, vectors: Array) -> None:
    """modes [p, K] = V^H modes, in place."""
    count, pixels = modes.shape
    column = np.empty(count, np.complex128)
    for k in range(pixels):
        for a in range(count):
            column[a] = modes[a, k]
        for a in range(count):
            total = 0j
            for b in range(count):
                total += vectors[b, a].conjugate() * column[b]
            modes[a, k] = total


__all__ = ["eigenvectors", "gram", "rotate"]
