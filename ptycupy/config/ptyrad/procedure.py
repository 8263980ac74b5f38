"""PtyRAD's `model_params`, `loss_params`, `recon_params` and `hypertune_params`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ptycupy.config.base import Count, Positive
from ptycupy.config.ptyrad.part import Many, Part

Weight = Annotated[float, Field(ge=0)]
ObjectType = Literal["amplitude", "phase", "both"]


class OptimizerParams(Part):
    """The optimizer."""

    name: Literal[
        "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "SparseAdam", "Adamax", "ASGD", "LBFGS", "Muon", "Nadam",
        "RAdam", "RMSprop", "Rprop", "SGD",
    ] = "Adam"  # fmt: skip
    configs: dict[str, Any] = Field({})
    load_state: str | None = None


class SchedulerParams(Part):
    """How the learning rates change."""

    name: Literal[
        "LambdaLR", "MultiplicativeLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR",
        "PolynomialLR", "CosineAnnealingLR", "ReduceLROnPlateau", "CyclicLR", "OneCycleLR",
        "CosineAnnealingWarmRestarts",
    ] = Field(description="A schedule of torch.", examples=["StepLR"])  # fmt: skip
    configs: dict[str, Any] = Field({})
    load_state: str | None = None
    step_unit: Literal["iter", "batch"] = "iter"


class Update(Part):
    """When a tensor is refined and how fast. As PtyRAD has it, one that is written without start_iter is not."""

    start_iter: Count | None = None
    lr: Weight = 0.0
    end_iter: Count | None = None


class UpdateParams(Part):
    """The tensors that are refined."""

    obja: Update = Update(start_iter=1, lr=5e-4)
    objp: Update = Update(start_iter=1, lr=5e-4)
    obj_tilts: Update = Update()
    slice_thickness: Update = Update()
    probe: Update = Update(start_iter=1, lr=1e-4)
    probe_pos_shifts: Update = Update(start_iter=1, lr=5e-4)


class ModelParams(Part):
    """The section `model_params`."""

    detector_blur_std: Weight | None = None
    preload_data: bool | None = True
    optimizer_params: OptimizerParams = OptimizerParams()
    scheduler_params: SchedulerParams | None = None
    update_params: UpdateParams = UpdateParams()


class Term(Part):
    """What all terms of the loss share."""

    state: bool = False
    weight: Weight = 0.1


class LossSingle(Term):
    """Amplitude loss."""

    state: bool = True
    weight: Weight = 1.0
    dp_pow: float = 0.5


class LossPoisson(Term):
    """Poisson likelihood."""

    weight: Weight = 1.0
    dp_pow: float = 1.0
    eps: Positive = 1e-6


class LossPacbed(Term):
    """Loss of the mean pattern."""

    weight: Weight = 0.5
    dp_pow: float = 0.2


class LossSparse(Term):
    """Sparsity of the phase."""

    ln_order: Count = 1


class LossSimilar(Term):
    """Similarity of object modes."""

    obj_type: ObjectType = "both"
    scale_factor: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur_std: Weight | None = 1.0


class LossParams(Part):
    """The section `loss_params`."""

    loss_single: LossSingle = LossSingle()
    loss_poissn: LossPoisson = LossPoisson()
    loss_pacbed: LossPacbed = LossPacbed()
    loss_sparse: LossSparse = LossSparse()
    loss_simlar: LossSimilar = LossSimilar()


class IndicesMode(Part):
    """Which positions take part."""

    mode: Literal["full", "sub", "center"] = "full"
    subscan_slow: Count | None = None
    subscan_fast: Count | None = None


class BatchSize(Part):
    """Patterns per update."""

    size: Count = 32
    grad_accumulation: Count = 1


class ReconParams(Part):
    """The section `recon_params`."""

    NITER: Count = 200
    INDICES_MODE: IndicesMode = IndicesMode()
    BATCH_SIZE: BatchSize = BatchSize()
    GROUP_MODE: Literal["random", "sparse", "compact", "hilbert", "fps"] = "random"
    SAVE_ITERS: Count | None = 10
    output_dir: str = "output/"
    recon_dir_affixes: Many[str] = ("default",)
    prefix_time: Any = "date"
    prefix: str = ""
    postfix: str = ""
    save_result: Many[str] = ("model", "objp")
    result_modes: dict[str, Any] = Field({"obj_dim": (2, 3, 4), "FOV": ("crop",), "bit": ("8",)})
    selected_figs: Many[str] = ("convergence", "forward", "probe_r_amp", "pos")
    copy_params: bool = True
    compiler_configs: dict[str, Any] | None = Field({})
    convergence_monitor: dict[str, Any] | None = Field({})


class HypertuneParams(Part):
    """The section `hypertune_params`."""

    if_hypertune: bool = False
    verbosity: str = "WARNING"
    collate_results: bool = True
    append_params: bool = True
    n_trials: Count = 5
    timeout: float | None = None
    sampler_params: dict[str, Any] | None = None
    pruner_params: dict[str, Any] | None = None
    storage_path: str = "sqlite:///hypertune.sqlite3"
    study_name: str = "study"
    error_metric: Literal["loss", "contrast"] = "loss"
    tune_params: dict[str, Any] | None = None
