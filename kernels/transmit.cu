#include "common.cuh"

// exits[i, o, p, y, x] = waves[i, o or 0, p, y, x] transmission[o, slice, corner + (y, x)]; launched over (n o, y x)
KERNEL transmit_forward(
    complex* exits,               // [n, o, p, y, x]
    const complex* waves,         // [n, o or 1, p, y, x]
    const complex* transmission,  // [o, z, Y, X]
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    int slice,
    int slices,
    int object_modes,
    int wave_modes,
    int probe_modes,
    int canvas_height,
    int canvas_width,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int pattern = at.row / object_modes, mode = at.row - pattern * object_modes;
    int wave_row = wave_modes == 1 ? pattern : at.row;
    size_t plane = (size_t(mode) * slices + slice) * canvas_height * canvas_width;
    complex t = ldg(&transmission[plane + canvas_offset(corners, indices[pattern], at.column, width, canvas_width)]);
    for (int p = 0; p < probe_modes; ++p)
        exits[(size_t(at.row) * probe_modes + p) * pixels + at.column] =
            t * waves[(size_t(wave_row) * probe_modes + p) * pixels + at.column];
}

// grad_waves = conj(transmission) grad_exits, summed over o where the waves have one object mode;
// grad_transmission[o, slice, corner + (y, x)] += sum_p conj(waves) grad_exits. Launched over (n w, y x), w = o or 1.
// The sum over p is made in registers: one atomic addition per object pixel, or none where grad_patches takes it.
KERNEL transmit_backward(
    complex* grad_waves,          // [n, w, p, y, x] or null; may be grad_exits where w = o
    complex* grad_transmission,   // [o, z, Y, X] or null, accumulated into at the windows, atomically
    complex* grad_patches,        // [n, o, y, x] or null: the sums over p, for patch_gather
    const complex* grad_exits,    // [n, o, p, y, x]
    const complex* waves,         // [n, w, p, y, x]
    const complex* transmission,  // [o, z, Y, X]
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    int slice,
    int slices,
    int object_modes,
    int wave_modes,
    int probe_modes,
    int canvas_height,
    int canvas_width,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int pattern = at.row / wave_modes, wave_mode = at.row - pattern * wave_modes;
    int modes = object_modes / wave_modes;  // of the object, seen by one wave
    size_t canvas = size_t(canvas_height) * canvas_width;
    size_t offset = canvas_offset(corners, indices[pattern], at.column, width, canvas_width);
    for (int mode = wave_mode; mode < wave_mode + modes; ++mode) {
        size_t object_pixel = (size_t(mode) * slices + slice) * canvas + offset;
        size_t exit_row = size_t(pattern) * object_modes + mode;
        complex t = ldg(&transmission[object_pixel]), sum = {0, 0};
        size_t given = exit_row * probe_modes * pixels + at.column;
        size_t wave = size_t(at.row) * probe_modes * pixels + at.column;
#pragma unroll 2
        for (int p = 0; p < probe_modes; ++p, given += pixels, wave += pixels) {
            complex grad = grad_exits[given];
            if (grad_transmission || grad_patches) sum += conj_times(waves[wave], grad);
            if (grad_waves) {
                complex back = conj_times(t, grad);
                grad_waves[wave] = mode == wave_mode ? back : grad_waves[wave] + back;
            }
        }
        if (grad_patches) grad_patches[exit_row * pixels + at.column] = sum;
        if (grad_transmission) red(&grad_transmission[object_pixel], sum);
    }
}
