"""The configuration: frozen, typed, units in the names. One class per section of the YAML file.

Sections live by theme in `measured`, `beam`, `specimen`, `procedure`, `constraints` and `tuning`; this module gathers
them all.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from ptycupy.config.base import Count, Length, Pair, Positive, Section, Shape, Span, described
from ptycupy.config.beam import Calibration, Illumination
from ptycupy.config.constraints import DEFAULT_CONSTRAINTS, Constraint, as_list
from ptycupy.config.measured import Data, Orientation
from ptycupy.config.procedure import (
    Backend,
    Distributed,
    Gaussian,
    Losses,
    Optimizer,
    Output,
    Pacbed,
    Poisson,
    Rate,
    Reconstruction,
    Similarity,
    Sparsity,
    Truth,
)
from ptycupy.config.specimen import Affine, Depth, Model, Object, Scan
from ptycupy.config.tuning import Tune


class Atoms(Section):
    """The specimen to simulate: a crystal by name, or an XYZ/CIF-free list of atoms, in angstrom."""

    structure: Literal["wse2_bilayer", "srtio3", "silicon", "graphene"] = described(
        "wse2_bilayer", "A built-in crystal; srtio3 and silicon are seen along [001]."
    )
    twist_degrees: float = described(3.0, "Twist between the layers of a bilayer.", unit="degrees", ge=-180, le=180)
    thickness_angstrom: Length = described(
        20.0, "Thickness of srtio3 or silicon, rounded to whole unit cells.", unit="angstrom"
    )
    vacancy_fraction: float = described(
        0.0, "Share of the most abundant element's atoms that is missing (Se in WSe2).", unit="of 1", ge=0, lt=1
    )
    path: str | None = described(
        None, "XYZ file instead of a built-in crystal, relative to this file's folder; z runs with the beam. It is "
        "repeated in the plane where its extended form gives a lattice.", example="atoms.xyz",
    )  # fmt: skip
    cells_along_beam: Count = described(
        1, "Copies of an XYZ file's cell along the beam, by its third lattice vector.", unit="cells"
    )


class Simulation(Section):
    """Everything `ptycupy simulate` needs beyond the experiment that the other sections describe."""

    specimen: Literal["atoms", "phantom"] = described("atoms", "Atoms with parametrised potentials, or a phantom.")
    atoms: Atoms = described(Atoms(), "The atoms.")
    phantom: Literal["siemens_star", "discs"] = described(
        "siemens_star", "The phantom: one resolution target, or other random discs in each of object.slices."
    )
    phantom_phase_rad: float = described(0.5, "Phase of the phantom, all slices together.", unit="rad")
    phantom_absorption: float = described(
        0.0, "Amplitude that the phantom takes away, all slices together.", unit="of 1", ge=0, lt=1
    )
    scan_shape: Shape = described((16, 16), "Scan positions (slow, fast).", unit="positions")
    detector_shape: Shape = described((128, 128), "Detector (y, x).", unit="px")
    oversampling: int = described(
        3, "Pixels of the simulation per pixel of a reconstruction; the detector is the middle of its far field, whose "
        "outer third is kept empty against aliasing: 2 leaves the corners of a square detector dark.",
        ge=1, le=16,
    )  # fmt: skip
    potential_slice_angstrom: Length = described(1.0, "Slice of the simulated potential.", unit="angstrom")
    frozen_phonons: Count = described(1, "Configurations of displaced atoms that are averaged.")
    phonon_displacement_angstrom: float = described(
        0.0, "Root mean square displacement of an atom per axis.", unit="angstrom", ge=0, le=5
    )
    chromatic_aberration_angstrom: float = described(0.0, "Chromatic aberration Cc.", unit="angstrom", ge=0)
    energy_spread_ev: float = described(0.0, "Energy spread of the beam, full width at half maximum.", unit="eV", ge=0)
    defoci: int = described(1, "Defocus values that stand for the focal spread; 1 = none.", ge=1, le=51)
    source_size_angstrom: float = described(
        0.0, "Image of the source, full width at half maximum.", unit="angstrom", ge=0
    )
    detector_blur_px: float = described(0.0, "Standard deviation of the detector's point spread.", unit="px", ge=0)
    dose_per_square_angstrom: Positive | None = described(
        None, "Electrons per square angstrom of Poisson noise; null = no noise.", unit="1/angstrom^2", example=1e6
    )
    seed: int = described(0, "Seed of phonons, vacancies and noise.", ge=0)


class Config(Section):
    """A whole reconstruction. Checks that look at more than one key are in `checks` and run when it is loaded."""

    version: Literal[1] = described(1, "Version of this format.")
    data: Data = described(Data(), "Where the diffraction patterns are and how they are read.")
    illumination: Illumination = described(Illumination(), "The beam, and the probe to start from.")
    calibration: Calibration = described(Calibration(), "How the pixel size is found.")
    scan: Scan = described(Scan(), "Where the probe was.")
    object: Object = described(Object(), "The specimen's grid and what it starts from.")
    model: Model = described(Model(), "How the beam goes through the specimen to the detector.")
    losses: Losses = described(
        Losses(), "What is minimised; null switches a term off. A package may register more, as ptycupy.losses."
    )
    optimizer: Optimizer = described(
        Optimizer(), "How fast each parameter is refined, and from when; a bare number is its learning_rate."
    )
    constraints: tuple[Constraint, ...] = described(
        DEFAULT_CONSTRAINTS, "What is imposed after every iteration: exactly these, replacing the default list."
    )
    reconstruction: Reconstruction = described(Reconstruction(), "The loop.")
    backend: Backend = described(Backend(), "Where the computation runs; `backend: cuda:1` is short for its device.")
    distributed: Distributed = described(Distributed(), "How several processes share the work.")
    output: Output = described(Output(), "Where results go.")
    truth: Truth | None = described(None, "A known phase that the result is compared with.")
    simulation: Simulation | None = described(None, "What `ptycupy simulate` makes; data.path is not needed then.")
    tune: Tune | None = described(None, "What `ptycupy tune` tries; `ptycupy recon` does not look at it.")
    stages: tuple[dict[str, Any], ...] = described(
        (), "Several reconstructions after each other, each a partial configuration merged onto this one, that starts "
        "from the result of the one before; iterations are counted in each.",
        example=[{"object": {"slices": 2, "slice_thickness_angstrom": 6.0}}, {}],
    )  # fmt: skip

    @field_validator("constraints", mode="before")
    @classmethod
    def _mapping_of_constraints(cls, values: Any) -> Any:
        return as_list(values)


__all__ = [
    "DEFAULT_CONSTRAINTS",
    "Affine",
    "Atoms",
    "Backend",
    "Calibration",
    "Config",
    "Constraint",
    "Data",
    "Depth",
    "Distributed",
    "Gaussian",
    "Illumination",
    "Losses",
    "Model",
    "Object",
    "Optimizer",
    "Orientation",
    "Output",
    "Pacbed",
    "Pair",
    "Poisson",
    "Positive",
    "Rate",
    "Reconstruction",
    "Scan",
    "Section",
    "Similarity",
    "Simulation",
    "Span",
    "Sparsity",
    "Truth",
    "Tune",
]
