"""An engine ends with its last owner: no cycle of references keeps its arrays, and the file behind them, any longer."""

import gc
import weakref

import pytest
from scenes import random_scene

from ptycupy import Engine, Settings


@pytest.mark.parametrize("iterations", [0, 2])
def test_an_engine_needs_no_garbage_collector(iterations):
    problem, state = random_scene(positions=5)
    settings = Settings({"gaussian": {}}, learning_rates={"object_phase": 1e-3}, batch_size=2)
    Engine(problem, state, settings, "cpu").run(iterations)  # numba's compiler keeps the frames that called it
    gc.collect()
    gc.disable()
    try:
        engine = Engine(problem, state, settings, "cpu")
        engine.run(iterations)
        gone = weakref.ref(engine)
        del engine
        assert gone() is None
    finally:
        gc.enable()
