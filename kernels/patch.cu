#include "common.cuh"

// patches[i, s, y, x] = field[s, corner + (y, x)], s over object modes and slices; launched over (n planes, y x)
KERNEL patch_forward(
    real* patches,       // [n, planes, y, x]
    const real* field,   // [planes, Y, X]
    const int* corners,  // [N, 2]
    const int* indices,  // [n]
    int planes,
    int canvas_height,
    int canvas_width,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int pattern = at.row / planes, plane = at.row - pattern * planes;
    patches[size_t(at.row) * pixels + at.column] =
        ldg(&field[size_t(plane) * canvas_height * canvas_width +
                   canvas_offset(corners, indices[pattern], at.column, width, canvas_width)]);
}

// grad_field[s, corner + (y, x)] += grad_patches[i, s, y, x], atomically
KERNEL patch_backward(
    real* grad_field,          // [planes, Y, X] accumulated into
    const real* grad_patches,  // [n, planes, y, x]
    const int* corners,        // [N, 2]
    const int* indices,        // [n]
    int planes,
    int canvas_height,
    int canvas_width,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int pattern = at.row / planes, plane = at.row - pattern * planes;
    red(&grad_field[size_t(plane) * canvas_height * canvas_width +
                    canvas_offset(corners, indices[pattern], at.column, width, canvas_width)],
        grad_patches[size_t(at.row) * pixels + at.column]);
}
