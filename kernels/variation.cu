// Total variation: min over u of 1/2 sum (u - f)^2 + sum |D u|, D = (w d_y, w d_x, w_z d_z) forward differences that
// end at the edges, by projected gradients of the dual (Chambolle 2004; Beck and Teboulle 2009): u = f - D^T p, |p| <= 1.
#include "common.cuh"

// Place of a flat index, and the step to the next value along each axis.
struct Voxel {
    int z, y, x;
};
DEVICE Voxel voxel(size_t i, int slices, int height, int width) {
    size_t row = divide(i, width), plane = divide(row, height), mode = divide(plane, slices);
    return {int(plane - mode * slices), int(row - plane * height), int(i - row * width)};
}

// values = before - D^T dual
KERNEL variation_primal(
    real* values,        // [o, z, Y, X]
    const real* before,  // [o, z, Y, X] f
    const real* dual,    // [3, o, z, Y, X] along y, x, z; 0 at the last sample of its axis
    real lateral,        // w
    real depth,          // w_z
    int slices,
    int height,
    int width,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    Voxel at = voxel(i, slices, height, width);
    const real *y = dual, *x = dual + count, *z = dual + 2 * count;
    real along_y = (at.y > 0 ? y[i - width] : real(0)) - y[i];
    real along_x = (at.x > 0 ? x[i - 1] : real(0)) - x[i];
    real along_z = (at.z > 0 ? z[i - size_t(height) * width] : real(0)) - z[i];
    values[i] = before[i] - lateral * (along_y + along_x) - depth * along_z;
}

// dual = q / max(1, |q|), q = dual + step D values
KERNEL variation_dual(
    real* dual,          // [3, o, z, Y, X] in place
    const real* values,  // [o, z, Y, X]
    real lateral,
    real depth,
    real step,
    int slices,
    int height,
    int width,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    Voxel at = voxel(i, slices, height, width);
    real *y = dual, *x = dual + count, *z = dual + 2 * count, value = values[i];
    real q_y = y[i], q_x = x[i], q_z = z[i];
    if (at.y + 1 < height) q_y += step * lateral * (values[i + width] - value);
    if (at.x + 1 < width) q_x += step * lateral * (values[i + 1] - value);
    if (at.z + 1 < slices) q_z += step * depth * (values[i + size_t(height) * width] - value);
    real size = sqrt(q_y * q_y + q_x * q_x + q_z * q_z), shrink = size > 1 ? 1 / size : real(1);
    y[i] = shrink * q_y;
    x[i] = shrink * q_x;
    z[i] = shrink * q_z;
}
