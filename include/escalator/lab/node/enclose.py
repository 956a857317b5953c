"""Run one command in a private file system: ``enclose.py UPPER KEEP SOURCE TARGET COMMAND...``.

Used to make the virtual environment of a release under the very path that it will have in a node.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mounts import PrivateTree  # type: ignore[import-not-found]  # a script: it runs without the package


def main(arguments: list[str]) -> None:
    """Make the mounts, then become the command."""
    upper, keep, source, target, *command = arguments
    PrivateTree(upper=Path(upper), keep=(Path(keep),), binds=((Path(source), Path(target)),)).mount()
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
