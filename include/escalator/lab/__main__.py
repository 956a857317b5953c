"""``python -m escalator.lab``."""

import sys

from escalator.lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
