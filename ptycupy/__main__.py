"""`python -m ptycupy` is the command `ptycupy`."""

import sys

from ptycupy.cli import main

sys.exit(main())
