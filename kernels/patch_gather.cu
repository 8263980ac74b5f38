// The same sum as patch_backward, bit for bit repeatable: every canvas pixel collects the patches in batch order.
#include "common.cuh"

// grad_field[first + s stride + Y X offset] += sum_i grad_patches[i, s, Y - corner_y, X - corner_x]
KERNEL patch_gather(
    VALUE* grad_field,          // accumulated into
    const VALUE* grad_patches,  // [n, planes, y, x]
    const int* corners,         // [N, 2]
    const int* indices,         // [n]
    size_t first,               // where plane 0 starts in grad_field
    size_t stride,              // between planes
    int patterns,
    int planes,
    int canvas_height,
    int canvas_width,
    int height,
    int width) {
    Place at = place(canvas_height * canvas_width);
    if (at.column >= canvas_height * canvas_width) return;
    int canvas_y = at.column / canvas_width, canvas_x = at.column - canvas_y * canvas_width;
    VALUE sum = VALUE();
    for (int i = 0; i < patterns; ++i) {
        int y = canvas_y - corners[2 * indices[i]], x = canvas_x - corners[2 * indices[i] + 1];
        if (unsigned(y) < unsigned(height) && unsigned(x) < unsigned(width))
            sum += grad_patches[((size_t(i) * planes + at.row) * height + y) * width + x];
    }
    grad_field[first + size_t(at.row) * stride + at.column] += sum;
}
