// What patterns have in common, however they are stored.
#pragma once
#include "common.cuh"

// The pixel of [height, width], beam in the centre, that lies at pixel `column` of [padded_height, padded_width], zero
// frequency in the corner; -1 where there is none. The beam is at n / 2 of both grids.
DEVICE int stored_pixel(int column, int height, int width, int padded_height, int padded_width) {
    int y = column / padded_width, x = column - y * padded_width;
    int row = (y + padded_height / 2) % padded_height - (padded_height / 2 - height / 2);
    int place = (x + padded_width / 2) % padded_width - (padded_width / 2 - width / 2);
    return row >= 0 && row < height && place >= 0 && place < width ? row * width + place : -1;
}
