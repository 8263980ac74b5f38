"""Makes scan.dm3, scan.dm4 (by nionswift-io, Nion's own writer of Gatan's format) and scan.mrc (by mrcfile).

Neither package is needed by the tests. Made with nionswift-io 15.5.0, niondata 15.9.1 and mrcfile 1.5.4:

    pip install --no-deps nionswift-io niondata nionutils && pip install numpy pytz tzlocal mrcfile
    python tests/files/make_microscope_files.py
"""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
from nion.data import Calibration, DataAndMetadata
from nionswift_plugin.DM_IO import dm3_image_utils

STACK = (np.arange(3 * 4 * 6 * 5) * 37 % 60_013).astype(np.uint16).reshape(3, 4, 6, 5)
SCALES = [(0.05, "nm"), (0.04, "nm"), (0.2, "1/nm"), (0.3, "1/nm")]


def main() -> None:
    folder = Path(__file__).parent
    calibrations = [Calibration.Calibration(0.0, scale, unit) for scale, unit in SCALES]
    scan = DataAndMetadata.new_data_and_metadata(
        STACK,
        dimensional_calibrations=calibrations,
        data_descriptor=DataAndMetadata.DataDescriptor(False, 2, 2),
    )
    for version in (3, 4):
        with open(folder / f"scan.dm{version}", "wb") as stream:
            dm3_image_utils.save_image(scan, stream, version)
    with mrcfile.new(folder / "scan.mrc", overwrite=True) as file:
        file.set_data(STACK.reshape(12, 6, 5))


if __name__ == "__main__":
    main()
