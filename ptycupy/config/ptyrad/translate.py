"""From PtyRAD's parameters to a native configuration and a list of what is different."""

from __future__ import annotations

from ptycupy.config.nodes import Node
from ptycupy.config.notes import Note
from ptycupy.config.ptyrad import experiment, measured, refinement, run, tuning
from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.parameters import parameters

STEPS = (
    measured.file,
    measured.orientation,
    measured.values,
    measured.shape,
    experiment.beam,
    experiment.probe,
    experiment.scan,
    experiment.specimen,
    experiment.tilts,
    experiment.model,
    refinement.losses,
    refinement.optimizer,
    refinement.constraints,
    run.loop,
    run.output,
    tuning.tuning,
)


def translate(root: Node, name: str, folder: str) -> tuple[Node, tuple[Note, ...]]:
    """The native configuration, each value with its place in PtyRAD's file, and the notes.

    `name` is the file's name in messages and `folder` where it lies. Raises ConfigError for parameters that are wrong.
    """
    read, root, renamed = parameters(root, name)
    builder = Builder(read, root, folder)
    for key, effect in renamed:
        builder.differs(key, effect)
    for step in STEPS:
        step(builder)
    return builder.native, tuple(builder.notes)
