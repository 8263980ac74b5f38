"""A reconstruction of quantem 0.1 made of arrays; imported by scripts that quantem's interpreter runs."""

import numpy as np
from quantem.core.datastructures import Dataset4dstem
from quantem.diffractive_imaging.dataset_models import PtychographyDatasetRaster
from quantem.diffractive_imaging.detector_models import DetectorPixelated
from quantem.diffractive_imaging.object_models import ObjectPixelated
from quantem.diffractive_imaging.probe_models import ProbePixelated
from quantem.diffractive_imaging.ptychography import Ptychography


def ptychography(plain, patterns, scan, step):
    """What `--to quantem` writes as a Ptychography; `step` in px. quantem has an object of a shape of its own: ours
    is padded to it with vacuum behind its last pixels."""
    window, sampling = patterns.shape[-2:], plain["sampling"]
    data = Dataset4dstem.from_array(
        patterns.reshape(*scan, *window).astype(np.float32),
        sampling=[*(step * sampling), *(1 / (window * sampling))],
        units=["A", "A", "A^-1", "A^-1"],
    )
    data = PtychographyDatasetRaster.from_dataset4dstem(data, verbose=0, learn_descan=False)
    padding = 32 + -(data._obj_shape_full_2d((0, 0)) // 2) % 4  # quantem pads to a multiple of 8
    quiet = {"plot_rotation": False, "plot_com": False}
    data.preprocess(com_fit_function="no_shift", force_com_rotation=0, force_com_transpose=False,
                    obj_padding_px=padding, **quiet)  # fmt: skip
    probe = ProbePixelated.from_array(
        plain["probe"], probe_params={"energy": float(plain["energy"])}, probe_tilt=tuple(plain["probe_tilt"])
    )
    volume = np.ones((len(plain["obj"]), *data._obj_shape_full_2d(padding)), np.complex64)
    rows, columns = plain["obj"].shape[-2:]
    volume[:, :rows, :columns] = plain["obj"]
    thickness = plain["slice_thicknesses"] if len(volume) > 1 else None
    found = Ptychography.from_models(
        dset=data,
        obj_model=ObjectPixelated.from_array(volume, thickness, obj_type="complex"),
        probe_model=probe,
        detector_model=DetectorPixelated(),
        verbose=0,
    )
    found.preprocess(obj_padding_px=padding, **quiet)
    probe.probe = plain["probe"]  # it has been scaled to the patterns
    data.scan_positions_px = plain["scan_positions_px"]
    data._set_patch_indices(found.obj_padding_px)
    return found


def predicted(found):
    """[n, y, x], beam centred: the intensities of its own forward model."""
    indices = np.arange(found.dset.num_positions)
    places, _, fractions, descan = found.dset.forward(indices, found.obj_padding_px)
    waves = found.forward_operator(found.obj_model.forward(places), found.probe_model.forward(fractions), descan)[1]
    return found.detector_model.forward(waves).detach().numpy()


def parts(found):
    """What ptycupy reads, under quantem's names, as ptycupy/guide/file_formats.md has it."""
    return {
        "obj": found.obj,
        "probe": found.probe,
        "scan_positions_px": found.dset.scan_positions_px.detach().cpu().numpy(),
        "slice_thicknesses": found.slice_thicknesses,
        "sampling": found.sampling,
        "probe_tilt": found.probe_model.probe_tilt.detach().cpu().numpy(),
        "energy": found.probe_model.probe_params["energy"],
    }
