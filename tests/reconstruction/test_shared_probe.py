"""What sharing a probe is for: at low dose two scans know more of it than one."""

import importlib.util
from pathlib import Path

PATH = Path(__file__).parents[2] / "benchmarks" / "shared_probe.py"
_spec = importlib.util.spec_from_file_location("shared_probe", PATH)
shared_probe = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared_probe)


def test_two_scans_with_a_shared_probe_are_better_than_each_alone():
    """300 electrons per pattern, a probe that starts without its astigmatism (error 0.12). Alone, as many updates of
    the probe are made of half the data."""
    found = shared_probe.compare([shared_probe.simulated(seed) for seed in (0, 1)], 40)
    probes = {how: [error for error, _ in values] for how, values in found.items()}
    assert probes["shared"][0] == probes["shared"][1]
    assert probes["shared"][0] < min(probes["longer"])
    assert probes["shared"][0] < 0.5 * sum(probes["longer"]) / 2
    for (_, shared), (_, alone) in zip(found["shared"], found["longer"], strict=True):
        assert shared > alone + 0.005
