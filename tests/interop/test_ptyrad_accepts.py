"""Whatever PtyRAD 1.0.0 accepts for a key of its fullest template translates, unless it has no meaning."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from interop.elsewhere import run, shipped_params

from ptycupy.config import read_dict
from ptycupy.errors import ConfigError

pytestmark = pytest.mark.interop
VALUES = [
    None, 0, 1, 2, 1.5, -1, 1e-4, "1", "1.5", "x", True, False, [], [1], [1, 2], [0.5, 0.5], [1, 0, 0],
    [1.0, 0.0, -3.0, 0.0], [None, None], [None, None, [8, 120], [8, 120]], [[0, 0]], {}, "date", "all",
]  # fmt: skip
# PtyRAD accepts these and fails, or does nothing of use: a voltage of 0, axes that are named twice, and so on.
WITHOUT_MEANING = {
    "probe_kv", "probe_conv_angle", "meas_permute", "meas_reshape", "target_Npix", "meas_export", "probe_permute",
    "end_iter", "weight", "dp_pow", "thresh",
}  # fmt: skip


def test_what_ptyrad_accepts_is_accepted(tmp_path):
    whole = yaml.safe_load((shipped_params() / "templates/full.yaml").read_text())
    (tmp_path / "x.h5").touch()  # PtyRAD looks whether it is there
    whole["init_params"]["meas_params"]["path"] = str(tmp_path / "x.h5")
    del whole["hypertune_params"]["tune_params"]
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump(whole))
    (tmp_path / "values.json").write_text(json.dumps([{"value": value} for value in VALUES]))
    script = Path(__file__).with_name("accepted_by_ptyrad.py")
    files = [str(tmp_path / name) for name in ("whole.yaml", "values.json", "accepted.json")]
    run("ptyrad", script, *files)
    accepted = json.loads((tmp_path / "accepted.json").read_text())
    assert len(accepted) > 1000
    refused = []
    for case in accepted:
        params = copy.deepcopy(whole)
        section = params
        for part in case["key"][:-1]:
            section = section[part]
        if case["value"] is None:
            del section[case["key"][-1]]
        else:
            section[case["key"][-1]] = case["value"]["value"]
        try:
            read_dict(params, ptyrad=True, allow_unsupported=True)
        except ConfigError as error:
            refused.append((case["key"], case["value"], str(error)))
    assert [case for case in refused if case[0][-1] not in WITHOUT_MEANING] == []
