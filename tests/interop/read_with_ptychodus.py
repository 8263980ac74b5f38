"""Run by an interpreter that has ptychodus: opens a product, writes what it saw as .npz and the product once more.

python read_with_ptychodus.py product seen.npz again
"""

import sys
from pathlib import Path

import numpy as np
from ptychodus.plugins.cxi_file import CXIProductFileIO
from ptychodus.plugins.h5_product_file import H5ProductFileIO
from ptychodus.plugins.npz_product_file import NPZProductFileIO

product, seen, again = map(Path, sys.argv[1:])
program = {".h5": H5ProductFileIO, ".npz": NPZProductFileIO, ".cxi": CXIProductFileIO}[product.suffix]()
found = program.read(product)
geometry = found.object_.get_geometry()
np.savez(
    seen,
    object=found.object_.get_array(),
    probe=found.probes.get_array(),
    spacing=found.object_.layer_spacing_m,
    y=geometry.map_probe_positions_to_object_y_px(found.probe_positions),
    x=geometry.map_probe_positions_to_object_x_px(found.probe_positions),
    wavelength=found.metadata.photon_wavelength_m,
    pixels=[geometry.pixel_height_m, geometry.pixel_width_m],
    probe_pixels=[found.probes.get_pixel_geometry().height_m, found.probes.get_pixel_geometry().width_m],
    losses=[[loss.epoch, loss.value] for loss in found.losses],
)
program.write(again, found)
