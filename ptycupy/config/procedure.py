"""Sections that describe what is done: losses, optimizer, loop, backend, output, comparison with a truth."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from ptycupy.config.base import Count, Length, Positive, Section, Shape, described, refusal, unknown_keys
from ptycupy.config.optimizers import OPTIONS
from ptycupy.config.registered import LOSSES, OPTIMIZERS, names, plain_name, registered
from ptycupy.config.schedules import Schedule
from ptycupy.config.suggest import did_you_mean, shown

Weight = Annotated[float, Field(ge=0)]


class Gaussian(Section):
    """Amplitude loss: root mean square of D^power - M^power, over the mean of M^power."""

    weight: Weight = described(1.0, "Factor of this term.")
    power: Positive = described(0.5, "0.5 compares amplitudes, 1 intensities.")


class Poisson(Section):
    """Negative log-likelihood of Poisson counts."""

    weight: Weight = described(1.0, "Factor of this term.")
    power: Positive = described(1.0, "Exponent of the measured intensity; 1 is Poisson statistics.")
    eps: Positive = described(1e-6, "Added under the logarithm.")


class Pacbed(Section):
    """Loss of the position-averaged pattern of the batch."""

    weight: Weight = described(0.5, "Factor of this term.")
    power: Positive = described(0.2, "Exponent; small values weigh the weak scattering.")


class Sparsity(Section):
    """Regulariser: the object's phase should be zero where nothing is."""

    weight: Weight = described(0.1, "Factor of this term.")
    order: Count = described(1, "Order of the norm; 1 is the paper's.")


class Similarity(Section):
    """Regulariser: the modes of a mixed object should be alike."""

    weight: Weight = described(0.1, "Factor of this term.")
    fields: Literal["amplitude", "phase", "both"] = described("both", "What is compared.")
    blur: float = described(1.0, "Standard deviation of the blur before comparing.", unit="px", ge=0, le=1000)
    scale: tuple[Positive, Positive, Positive] = described(
        (1.0, 1.0, 1.0), "Size (z, y, x) at which the modes are compared, relative to the object's own."
    )


class Losses(Section):
    """What is minimised: the sum of the terms given here; null switches a term off.

    Names other than these come from the entry-point group `ptycupy.losses`.
    """

    model_config = ConfigDict(extra="allow")

    gaussian: Gaussian | None = described(Gaussian(), "Amplitude loss; on by default.")
    poisson: Poisson | None = described(None, "Poisson likelihood, for few counts per pixel.")
    pacbed: Pacbed | None = described(None, "Loss of the position-averaged pattern.")
    sparsity: Sparsity | None = described(Sparsity(), "Sparsity of the phase; on by default.")
    similarity: Similarity | None = described(None, "Similarity of mixed object modes.")

    @property
    def own(self) -> dict[str, dict[str, Any]]:
        """Parameters of the terms that other packages register, by name."""
        return {name: given for name, given in (self.model_extra or {}).items() if given is not None}

    @model_validator(mode="after")
    def _own_are_registered(self) -> Losses:
        given = self.model_extra or {}
        known = names(LOSSES) if given else []
        unknown = [name for name in given if name not in known]
        if unknown:
            raise unknown_keys("losses", unknown)
        wrong = [name for name, value in given.items() if value is not None and not isinstance(value, dict)]
        if wrong:
            raise refusal("losses", [((name,), "expected a mapping of its parameters, or null") for name in wrong])
        return self


class Rate(Section):
    """When a parameter is refined and how fast; a bare number means `learning_rate`."""

    learning_rate: float = described(0.0, "Step of the optimizer; 0 keeps the parameter fixed.", ge=0)
    start: Count = described(1, "First iteration in which it is refined.", unit="iterations")
    end: Count | None = described(None, "Iteration from which it is fixed again; null = never.", unit="iterations")

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, values: Any) -> Any:
        number = isinstance(values, (int, float)) and not isinstance(values, bool)
        return {"learning_rate": values} if number else values


class Optimizer(Section):
    """How each parameter is refined."""

    name: str = described("adam", f"One of {', '.join(OPTIONS)}, torch's spelling of it, or what a package registers.")
    options: dict[str, Any] = described(
        {}, "The optimizer's own options; Adam: beta1 0.9, beta2 0.999, eps 1e-8.", example={"beta1": 0.9}
    )
    memory_path: str | None = described(
        None, "A result of ptycupy or PtyRAD with what this optimizer remembered of the same parameters, which is the "
        "start; relative to this file's folder. `--resume` needs none.", example="runs/first/result.h5",
    )  # fmt: skip
    schedule: Schedule | None = described(
        None, "How all learning rates change as it goes; null = not.", example={"name": "cosine", "total": 200}
    )
    schedules: dict[str, Schedule] = described(
        {}, "Schedules of single parameters, instead of `schedule`.",
        example={"probe": {"name": "cosine", "total": 200, "least": 0.1}},
    )  # fmt: skip
    object_amplitude: Rate = described(Rate(learning_rate=5e-4), "Amplitude of the object's transmission.")
    object_phase: Rate = described(Rate(learning_rate=5e-4), "Phase of the object, per rad.")
    probe: Rate = described(Rate(learning_rate=1e-4), "Probe modes.")
    shifts: Rate = described(Rate(learning_rate=5e-4), "Probe positions, per px.")
    tilts: Rate = described(Rate(), "Crystal tilt, per mrad; off by default, as shear and tilt look alike.")
    slice_thickness: Rate = described(Rate(), "Slice thickness, per angstrom; off by default.")
    pattern_intensity: Rate = described(Rate(), "Factor on the intensity of each pattern; off by default.")
    background: Rate = described(
        Rate(), "Intensity added to every pattern, in the patterns' normalised units; off by default."
    )
    descan: Rate = described(Rate(), "Where each pattern lies on the detector, per px; off by default.")
    aberrations: Rate = described(Rate(), "Changes of illumination.refined_aberrations, per angstrom; off by default.")
    scan_affine: Rate = described(
        Rate(), "Scale, asymmetry, rotation and shear (per degree) of the whole scan; off by default."
    )
    probe_variations: Rate = described(Rate(), "The illumination.variations of the first probe mode; off by default.")
    variation_weights: Rate = described(Rate(), "How much of each variation every position has; off by default.")

    @property
    def rates(self) -> dict[str, Rate]:
        """The rates by the names of the State's fields."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in given.items() if isinstance(value, Rate)}

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return registered(plain_name(name, OPTIONS), tuple(OPTIONS), OPTIMIZERS)

    @field_validator("schedules")
    @classmethod
    def _of_parameters(cls, schedules: dict[str, Schedule]) -> dict[str, Schedule]:
        known = [name for name, field in cls.model_fields.items() if field.annotation is Rate]
        for name in schedules:
            if name not in known:
                raise ValueError(f"unknown parameter '{shown(name)}'{did_you_mean(name, known)}")
        return schedules

    @field_validator("options")
    @classmethod
    def _right_options(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        section = OPTIONS.get(info.data.get("name", ""))
        return options if section is None else section.model_validate(options).model_dump(exclude_unset=True)


class Subscan(Section):
    """A rectangle of the scan, or positions spread over it, that alone are reconstructed."""

    mode: Literal["centre", "spread"] = Field(
        description="The middle of the scan, or positions spread evenly from its first to its last row and column.",
        examples=["centre"],
    )
    shape: Shape = Field(description="Positions (slow, fast) that take part.", examples=[[32, 32]])


class Reconstruction(Section):
    """The loop."""

    iterations: Count = described(200, "Passes over all patterns.", unit="iterations")
    batch_size: Count = described(16, "Patterns per update; small batches update more often.", unit="patterns")
    sub_batch: Count | None = described(
        None,
        "Patterns in memory at once; null = as many as fit, on a GPU no more than keeps it busy. The result does not "
        "change.",
        unit="patterns",
    )
    gradient_accumulation: Count = described(
        1, "Batches whose mean gradient makes one update, as if the batch were larger.", unit="batches"
    )
    grouping: Literal["random", "compact", "sparse"] = described(
        "random", "Batches of random, neighbouring, or far apart positions."
    )
    half: Literal["all", "even", "odd"] = described(
        "all", "Use every position, or one half of them for a Fourier ring correlation."
    )
    subscan: Subscan | None = described(
        None, "Positions that take part, for a quick look; canvas, normalisation and probe are those of the whole scan "
        "(data.crop_scan does not even read the others).",
    )  # fmt: skip
    seed: int = described(0, "Seed of everything random; the same seed gives the same run.", ge=0)
    on_divergence: Literal["stop", "halve_lr", "continue"] = described(
        "stop", "What to do when the loss exceeds 100 times its first value."
    )
    checkpoint_every: Count | None = described(
        10, "Iterations between checkpoints; null = only at the end.", unit="iterations"
    )


class Backend(Section):
    """Where the computation runs; plain text means `device`."""

    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = described(
        "auto", "auto (a GPU where there is one), cpu, cuda, or one GPU such as cuda:1."
    )
    fft: Literal["auto", "cufft", "own", "steps", "whole"] = described(
        "auto",
        "Transforms: on a GPU auto and cufft take cuFFT, and own takes fused kernels for the slices of windows with "
        "sides of 64, 128, 256 or 512 px and cuFFT for others: in steps of rows and columns, or all slices at once for "
        "whole waves of 64 x 64 or 128 x 128 px that have room on the GPU's multiprocessors and keep them busy; steps "
        "and whole take one of the two.",
    )
    deterministic: bool = described(
        False, "Same bits in every run on a GPU: windows of the object's gradient are summed in the batch's order. "
        "Without it they are added in whatever order they come, a little faster; such runs differ by rounding, about "
        "1e-7 of a gradient, which grows with the iterations. The CPU gives the same bits with any number of threads.",
    )  # fmt: skip
    tape: Literal["full", "half"] = described(
        "full", "How the waves between slices wait for the gradient on the GPU: half (precision) takes half the memory "
        "and leaves the object's gradient good to about 2e-4; not with fft whole. Full while tilts or thickness are "
        "refined.",
    )  # fmt: skip

    graphs: Literal["auto", "off", "on"] = described(
        "auto", "On a GPU, on records the update of a batch as a CUDA graph and launches that from then on, so that "
        "small batches do not wait for the host (Adam and AdamW with the package's own losses); the end of an "
        "iteration with its constraints too, but for those that decide on the host. auto is off.",
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _bare_device(cls, values: Any) -> Any:
        return {"device": values} if isinstance(values, str) else values


class Distributed(Section):
    """How the processes that mpiexec or srun started share one reconstruction; one alone reads none of it."""

    reduce: Literal["auto", "host", "cuda_aware", "nccl"] = described(
        "auto", "How gradients are added up. host: through memory, in a fixed order, the same bits in every run of as "
        "many ranks. nccl: between GPUs. cuda_aware: by an MPI that reads GPU memory. auto: nccl where every rank has "
        "a GPU of its own and backend.deterministic is not set, else host.",
    )  # fmt: skip
    object: Literal["shared", "tiled"] = described(
        "shared", "Where the object is. shared: all of it on every rank. tiled: each rank has the part that its own "
        "positions see, and neighbours tell each other of what both have: for objects too large for one device. "
        "Not with scans that share something.",
    )  # fmt: skip
    watchdog_seconds: Positive | None = described(
        30.0, "Silence of a rank after which the others stop, as they do at once when its process ends; null = never.",
        unit="s",
    )  # fmt: skip


class Output(Section):
    """Where results go."""

    folder: str = described("runs", "Folder for run folders, relative to the current folder.")
    name: str | None = described(None, "Name of the run folder; by default a fresh one from date and time.")
    overwrite: bool = described(False, "Allow a run folder that already holds results.")
    figures_every: Count | None = described(
        None, "Iterations between pictures; null = only at the end.", unit="iterations"
    )
    preview_seconds: Positive | None = described(
        5.0, "Time between two preview.png of a run that is under way, each in the place of the one before, more where "
        "drawing would take above 2 % of the time; null = none.", unit="s",
    )  # fmt: skip
    export_patterns: str | None = described(
        None, "File for the prepared patterns, relative to the run folder, written before the first iteration; its "
        "ending says how: .h5, .npy, .tif or .mat.", example="patterns.h5",
    )  # fmt: skip


class Truth(Section):
    """A known phase that the result is compared with: correlation and SSIM."""

    path: str = Field(
        description="HDF5 file with the true phase, relative to this file's folder.", examples=["truth.h5"]
    )
    key: str = Field(description="Dataset of the phase in rad, (y, x) or (slice, y, x).", examples=["truth_phase"])
    pixel_size_angstrom: Length | None = described(
        None, "Pixel size of the truth; by default the dataset's attribute px_A.", unit="angstrom", example=0.0683
    )
    scan_origin_angstrom: tuple[float, float] | None = described(
        None, "First scan position (y, x) in the truth's frame; by default the attribute scan_origin_A.",
        unit="angstrom", example=[23.75, 23.75],
    )  # fmt: skip
