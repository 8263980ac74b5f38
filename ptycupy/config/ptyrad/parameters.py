"""A PtyRAD parameter file as a whole: its six sections, and the older names of some keys."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from ptycupy.config import problems
from ptycupy.config.base import described
from ptycupy.config.nodes import Node
from ptycupy.config.ptyrad.constraints import ConstraintParams
from ptycupy.config.ptyrad.initial import InitParams
from ptycupy.config.ptyrad.part import Part
from ptycupy.config.ptyrad.procedure import HypertuneParams, LossParams, ModelParams, ReconParams
from ptycupy.config.suggest import shown
from ptycupy.errors import ConfigError

LEGACY_ABERRATIONS = {
    "probe_defocus": ("defocus", {"defocus", "C1", "C10"}),
    "probe_c3": ("C30", {"C30", "C3", "Cs"}),
    "probe_c5": ("C50", {"C50", "C5"}),
}
REMOVED = {"model_params": ("obj_preblur_std",), "recon_params": ("if_quiet",)}


class Parameters(Part):
    """All of a file."""

    init_params: InitParams = described(..., "The experiment and how its data are prepared.")
    hypertune_params: HypertuneParams = HypertuneParams()
    model_params: ModelParams = ModelParams()
    loss_params: LossParams = LossParams()
    constraint_params: ConstraintParams = ConstraintParams()
    recon_params: ReconParams = ReconParams()
    params_path: str | None = None  # PtyRAD adds it to what it saves


SECTIONS = ("init_params", "hypertune_params", "model_params", "loss_params", "constraint_params", "recon_params")


def parameters(root: Node, name: str) -> tuple[Parameters, Node, list[tuple[str, str]]]:
    """The parameters, the file with its older keys renamed, and (old key, what became of it).

    Raises ConfigError with one line per problem, as for a configuration of our own.
    """
    renamed: list[tuple[str, str]] = []
    root = _with_aberrations(root, renamed)
    for section, keys in REMOVED.items():
        for key in keys:
            if _section(root, section, key):
                renamed.append((f"{section}.{key}", "has no effect, as in PtyRAD 1.0"))
                root = _put(root, section, {k: v for k, v in root.value[section].value.items() if k != key})
    root = _with_written_constraints(root)
    found = [
        (path, f"expected a finite number, found {shown(node.text) or node.value}") for path, node in root.not_finite()
    ]
    try:
        read = Parameters.model_validate(root.plain())
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise ConfigError(problems.lines(problems.in_words(errors, root, Parameters), root, name)) from None
    if found:
        raise ConfigError(problems.lines(found, root, name))
    return read, root, renamed


def _section(root: Node, section: str, key: str) -> Node | None:
    node = root.value.get(section)
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _put(root: Node, section: str, values: dict[str, Node]) -> Node:
    return replace(root, value={**root.value, section: replace(root.value[section], value=values)})


def _with_aberrations(root: Node, renamed: list[tuple[str, str]]) -> Node:
    """probe_defocus, probe_c3 and probe_c5 moved to probe_aberrations, unless that has them already."""
    for old, (new, same) in LEGACY_ABERRATIONS.items():
        node = _section(root, "init_params", old)
        if node is None:
            continue
        init = dict(root.value["init_params"].value)
        del init[old]
        given = init.get("probe_aberrations")
        terms = given.value if given is not None and isinstance(given.value, dict) else {}
        if same & terms.keys():
            renamed.append((f"init_params.{old}", "has no effect, as probe_aberrations has this term"))
        elif node.value is not None:
            init["probe_aberrations"] = Node({**terms, new: node}, node.where)
            renamed.append((f"init_params.{old}", f"older key; taken as probe_aberrations: {{{new}: {node.value}}}"))
        root = _put(root, "init_params", init)
    return root


def _with_written_constraints(root: Node) -> Node:
    """A constraint that is written with nothing below it is written without start_iter."""
    node = root.value.get("constraint_params")
    if node is None or not isinstance(node.value, dict):
        return root
    return _put(
        root,
        "constraint_params",
        {key: Node({}, one.where) if one.value is None else one for key, one in node.value.items()},
    )
