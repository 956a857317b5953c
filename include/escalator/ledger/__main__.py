"""Entry point of ``python -m escalator.ledger``."""

import sys

from escalator.ledger.cli import main

sys.exit(main())
