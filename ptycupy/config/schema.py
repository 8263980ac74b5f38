"""The configuration: frozen, typed, units in the names. One class per section of the YAML file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = tuple[float, float]
Span = tuple[int | None, int | None]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Orientation(Section):
    """How the detector's axes lie in the scan's frame; applied in this order."""

    flip_y: bool = False
    flip_x: bool = False
    transpose: bool = False


class Data(Section):
    path: str | None = None
    key: str | None = None
    format: Literal["auto", "hdf5", "npy", "empad", "tiff"] = "auto"
    scan_shape: tuple[int, int] | None = None
    detector_shape: tuple[int, int] | None = None
    offset_bytes: int = 0
    gap_bytes: int | None = None
    permute: tuple[int, ...] | None = None
    reshape: tuple[int, ...] | None = None
    orientation: Orientation = Orientation()
    crop_scan: tuple[Span, Span] | None = None
    crop_detector: tuple[Span, Span] | None = None
    negative: Literal["clip", "subtract_min", "error"] = "clip"
    mask_path: str | None = None
    mask_key: str | None = None
    normalisation: Literal["max_at_one", "mean_at_one", "sum_to_one", "none"] = "max_at_one"


class Illumination(Section):
    kind: Literal["electron", "xray"] = "electron"
    voltage_kv: Positive | None = None
    energy_kev: Positive | None = None
    convergence_angle_mrad: Positive | None = None
    aberrations: dict[str, float] = {}
    path: str | None = None
    key: str | None = None
    modes: int = Field(4, ge=1)
    mode_power: float = Field(0.02, gt=0, lt=1)
    total_intensity: Positive | None = None


class Calibration(Section):
    mode: Literal[
        "fitted_disk", "pixel_size_angstrom", "dk_inverse_angstrom", "k_max_inverse_angstrom", "da_mrad",
        "angle_max_mrad", "n_alpha", "disk_radius_px", "file", "none",
    ] = "fitted_disk"  # fmt: skip
    value: Positive | Annotated[tuple[Positive, Positive], Field()] | None = None


class Affine(Section):
    scale: Positive = 1.0
    asymmetry: float = 0.0
    rotation_degrees: float = 0.0
    shear_degrees: float = 0.0


class Scan(Section):
    step_angstrom: Positive | Annotated[tuple[Positive, Positive], Field()] | None = None
    step_px: Positive | Annotated[tuple[Positive, Positive], Field()] | None = None
    path: str | None = None
    key: str | None = None
    unit: Literal["px", "angstrom"] = "px"
    reverse_slow: bool = False
    reverse_fast: bool = False
    swap_axes: bool = False
    affine: Affine = Affine()
    jitter_px: float = Field(0.0, ge=0)


class Object(Section):
    slices: int = Field(1, ge=1)
    slice_thickness_angstrom: Positive | tuple[Positive, ...] | None = None
    modes: int = Field(1, ge=1)
    occupancies: tuple[float, ...] | None = None
    margin: float = Field(0.2, ge=0)
    tilt_mrad: Pair = (0.0, 0.0)
    tilt_per_position: bool = False
    path: str | None = None


class Model(Section):
    propagator: Literal["angular_spectrum", "fresnel"] = "angular_spectrum"
    anti_aliasing: bool = False
    window_shape: tuple[int, int] | None = None
    detector_match: Literal["crop", "resample"] = "crop"
    detector_blur_px: float = Field(0.0, ge=0)
    dtype: Literal["float32", "float64"] = "float32"


class Gaussian(Section):
    weight: float = 1.0
    power: Positive = 0.5


class Poisson(Section):
    weight: float = 1.0
    power: Positive = 1.0
    eps: Positive = 1e-6


class Pacbed(Section):
    weight: float = 0.5
    power: Positive = 0.2


class Sparsity(Section):
    weight: float = 0.1
    order: int = Field(1, ge=1)


class Similarity(Section):
    weight: float = 0.1
    fields: Literal["amplitude", "phase", "both"] = "both"
    blur: float = Field(1.0, ge=0)
    scale: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)


class Losses(Section):
    gaussian: Gaussian | None = Gaussian()
    poisson: Poisson | None = None
    pacbed: Pacbed | None = None
    sparsity: Sparsity | None = Sparsity()
    similarity: Similarity | None = None


class Rate(Section):
    """When a parameter is refined and how fast; a bare number in the file means `learning_rate`."""

    learning_rate: float = Field(0.0, ge=0)
    start: int = Field(1, ge=1)
    end: int | None = None


class Optimizer(Section):
    name: str = "adam"
    options: dict[str, Any] = {}
    object_amplitude: Rate = Rate(learning_rate=5e-4)
    object_phase: Rate = Rate(learning_rate=5e-4)
    probe: Rate = Rate(learning_rate=1e-4)
    shifts: Rate = Rate(learning_rate=5e-4)
    tilts: Rate = Rate()
    slice_thickness: Rate = Rate()


class Constraint(Section):
    """One constraint: when it runs (end exclusive) and its own parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: str
    start: int = Field(1, ge=1)
    step: int = Field(1, ge=1)
    end: int | None = None


DEFAULT_CONSTRAINTS = (
    Constraint(name="orthogonal_probe"),
    Constraint(name="fixed_probe_intensity"),
    Constraint(name="depth_blur", std=1.0),
    Constraint(name="amplitude_threshold", thresh=(0.98, 1.02)),
    Constraint(name="positive_phase"),
    Constraint(name="position_recentring"),
)


class Reconstruction(Section):
    iterations: int = Field(200, ge=1)
    batch_size: int = Field(16, ge=1)
    sub_batch: int | None = Field(None, ge=1)
    gradient_accumulation: int = Field(1, ge=1)
    grouping: Literal["random", "compact", "sparse"] = "random"
    half: Literal["all", "even", "odd"] = "all"
    seed: int = 0
    on_divergence: Literal["stop", "halve_lr", "continue"] = "stop"
    checkpoint_every: int | None = Field(10, ge=1)


class Backend(Section):
    device: str = "auto"
    fft: Literal["auto", "cufft", "own"] = "auto"
    deterministic: bool = False


class Output(Section):
    folder: str = "runs"
    name: str | None = None
    overwrite: bool = False
    figures_every: int | None = None


class Truth(Section):
    path: str
    key: str
    pixel_size_angstrom: Positive | None = None
    scan_origin_angstrom: Pair | None = None


class Atoms(Section):
    """The specimen to simulate: a crystal by name, or an XYZ/CIF-free list of atoms, in angstrom."""

    structure: str = "wse2_bilayer"
    twist_degrees: float = 3.0
    vacancy_fraction: float = Field(0.0, ge=0, lt=1)
    path: str | None = None


class Simulation(Section):
    """Everything `ptycupy simulate` needs beyond the experiment that the other sections describe."""

    specimen: Literal["atoms", "phantom"] = "atoms"
    atoms: Atoms = Atoms()
    scan_shape: tuple[int, int] = (16, 16)
    detector_shape: tuple[int, int] = (128, 128)
    potential_slice_angstrom: Positive = 1.0
    frozen_phonons: int = Field(1, ge=1)
    phonon_displacement_angstrom: float = Field(0.0, ge=0)
    chromatic_aberration_angstrom: float = Field(0.0, ge=0)
    energy_spread_ev: float = Field(0.0, ge=0)
    defoci: int = Field(1, ge=1)
    source_size_angstrom: float = Field(0.0, ge=0)
    detector_blur_px: float = Field(0.0, ge=0)
    dose_per_square_angstrom: Positive | None = None
    seed: int = 0


class Config(Section):
    version: Literal[1] = 1
    data: Data = Data()
    illumination: Illumination = Illumination()
    calibration: Calibration = Calibration()
    scan: Scan = Scan()
    object: Object = Object()
    model: Model = Model()
    losses: Losses = Losses()
    optimizer: Optimizer = Optimizer()
    constraints: tuple[Constraint, ...] = DEFAULT_CONSTRAINTS
    reconstruction: Reconstruction = Reconstruction()
    backend: Backend = Backend()
    output: Output = Output()
    truth: Truth | None = None
    simulation: Simulation | None = None
