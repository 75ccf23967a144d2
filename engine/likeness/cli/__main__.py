"""Lets `python -m likeness.cli` do what the console command does."""

import sys

from likeness.cli.program import main

sys.exit(main())
