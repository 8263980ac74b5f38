"""phaser's own command with the engine of this package known to it: python -m ptycupy.integrations.phaser run FILE"""

from __future__ import annotations

from phaser.main import cli  # type: ignore[import-not-found]

import ptycupy.integrations.phaser  # noqa: F401 - it registers the engine

if __name__ == "__main__":
    cli(prog_name="phaser")
