"""Tasks of pty-chi 2.2.0 that differ in nothing but the forward model; imported by scripts that it runs."""

from dataclasses import dataclass, field

import numpy as np
import ptychi.api as api
import torch
from ptychi.api.task import PtychographyTask

import ptycupy


@dataclass
class Scene:
    """What is reconstructed. Lengths in angstrom, positions in px."""

    patterns: np.ndarray  # [n, y, x], beam in the centre
    scan: tuple[int, int]
    step: float
    pixel: float = 0.2
    wavelength: float = 0.0418
    slices: int = 3
    modes: int = 2
    variations: int = 1  # OPR modes
    rates: dict = field(default_factory=lambda: {"object": 5e-3, "probe": 1e-4})
    optimizer: api.Optimizers = api.Optimizers.ADAM
    seed: int | None = None  # of the object that it starts with; None for an empty one
    forward: dict = field(default_factory=dict)  # pty-chi's forward_model_params
    device: str = "CPU"  # or GPU, as pty-chi spells it

    @property
    def window(self):
        return self.patterns.shape[-1]

    def probe(self):
        """[variations, modes, y, x], with the patterns' intensity in the first."""
        first = ptycupy.make_probe(80, 24.9, (self.window, self.window), self.pixel, modes=self.modes)
        first = first.reshape(self.modes, self.window, self.window).astype(np.complex64)
        first *= np.float32(np.sqrt(self.patterns.sum((1, 2)).mean()) / self.window)
        more = [np.roll(first, (n, -n), (-2, -1)) * np.float32(0.1) for n in range(1, self.variations)]
        return np.stack([first, *more])

    def task(self, model=None, epochs=1, batch=16):
        """With pty-chi's own forward model, or this class."""
        torch.manual_seed(0)
        y, x = (axis.ravel() * self.step for axis in np.indices(self.scan))
        side = int(np.ceil(max(y.max(), x.max()))) + self.window + 10
        volume = np.ones((self.slices, side, side), np.complex64)
        if self.seed is not None:
            g = np.random.default_rng(self.seed)
            volume = 1 + 0.05 * g.standard_normal(volume.shape) + 0.2j * g.standard_normal(volume.shape)
        options = api.AutodiffPtychographyOptions()
        options.data_options.wavelength_m = self.wavelength * 1e-10
        options.object_options.pixel_size_m = self.pixel * 1e-10
        options.object_options.slice_spacings_m = np.full(self.slices - 1, 2e-10)
        parts = {
            "object": options.object_options,
            "probe": options.probe_options,
            "positions": options.probe_position_options,
            "weights": options.opr_mode_weight_options,
            "spacings": options.object_options.slice_spacing_options,
        }
        for name, rate in self.rates.items():
            parts[name].optimizable, parts[name].optimizer, parts[name].step_size = True, self.optimizer, rate
        settings = options.reconstructor_options
        settings.num_epochs, settings.batch_size, settings.default_device = epochs, batch, api.Devices[self.device]
        settings.random_seed = 0
        settings.forward_model_params = dict(self.forward)
        if model is not None:
            settings.forward_model_class = model
        weights = np.random.default_rng(3).uniform(0.5, 1.5, (len(y), self.variations)).astype(np.float32)
        return PtychographyTask(
            options,
            diffraction_data=self.patterns,
            object_data=volume.astype(np.complex64),
            probe_data=self.probe(),
            probe_position_y_px=y - y.mean(),
            probe_position_x_px=x - x.mean(),
            opr_mode_weights_data=weights if self.variations > 1 else None,
        )
