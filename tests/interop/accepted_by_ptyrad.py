"""Run by an interpreter that has PtyRAD: which of many changes of a parameter file it accepts, in JSON.

python accepted_by_ptyrad.py params.yaml values.json accepted.json

Every key at any depth is left out, and takes each of the values in turn.
"""

import contextlib
import copy
import io
import json
import logging
import sys

import yaml
from ptyrad.params.parser import normalize_constraint_params, normalize_probe_params
from ptyrad.params.ptyrad_params import PtyRADParams

logging.disable()
path, values, out = sys.argv[1:]
with open(path) as file:
    whole = yaml.safe_load(file)
with open(values) as file:
    values = json.load(file)


def keys(section, above=()):
    for key, value in section.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from keys(value, (*above, key))


def is_accepted(params):
    """As load_params goes about it; what it cannot take raises errors of all kinds."""
    params = copy.deepcopy(params)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            params["init_params"] = normalize_probe_params(params["init_params"])
            if params.get("constraint_params"):
                params["constraint_params"] = normalize_constraint_params(params["constraint_params"])
            PtyRADParams(**params)
    except Exception:
        return False
    return True


assert is_accepted(whole)
accepted = []
for key in keys(whole):
    for value in [None, *values]:  # the first None leaves the key out
        params = copy.deepcopy(whole)
        section = params
        for part in key[:-1]:
            section = section[part]
        if value is None:
            del section[key[-1]]
        else:
            section[key[-1]] = value["value"]
        if is_accepted(params):
            accepted.append({"key": key, "value": value})
with open(out, "w") as file:
    json.dump(accepted, file)
