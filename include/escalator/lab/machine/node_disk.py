"""The layers that the nodes of a running lab have, whatever newer ones are made of meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_FILE = "node-disk.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDisk:
    """What is under the disk of every node of a lab.

    :param layers: the uppermost first, the root file system last; none for a lab that was never up.
    """

    layers: tuple[Path, ...]

    @classmethod
    def read(cls, run: Path) -> NodeDisk:
        """Return the disk that a lab was brought up with, by its run folder."""
        try:
            layers = json.loads((run / _FILE).read_text())["layers"]
        except FileNotFoundError:
            layers = ()
        return cls(layers=tuple(map(Path, layers)))

    def write(self, run: Path) -> None:
        """Keep it for those who ask later."""
        (run / _FILE).write_text(json.dumps({"layers": list(map(str, self.layers))}))
