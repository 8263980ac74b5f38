#include "common.cuh"

// counts[corner + (y, x)] += 1 for every window of the batch; launched over (n, y x)
KERNEL coverage(
    int* counts,         // [Y, X] accumulated into
    const int* corners,  // [N, 2]
    const int* indices,  // [n]
    int canvas_width,
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    atomicAdd(&counts[canvas_offset(corners, indices[at.row], at.column, width, canvas_width)], 1);
}
