"""Fixtures of the backends' tests."""

from __future__ import annotations

import pytest

from ptycupy.backends.cuda.nvrtc import Nvrtc, nvrtc_of
from ptycupy.errors import ResourceError


@pytest.fixture
def nvrtc() -> Nvrtc:
    try:
        return nvrtc_of(12)
    except ResourceError as error:
        pytest.skip(str(error))
