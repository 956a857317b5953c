"""Give a process tree a file system of its own, inside a mount namespace that the caller has made.

The node sees the machine's files; what it writes to /etc, /opt and /var goes to a folder of its own
(overlayfs), /run and /tmp are its own and empty. Nothing of the machine is changed.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

OVERLAID = ("etc", "opt", "var")
STASH = Path("/run/escalator-lab-stash")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateTree:
    """The mounts of one node.

    :param upper: folder that receives what the node writes to /etc, /opt and /var.
    :param binds: pairs of (folder or file outside, path inside).
    :param layers: triples of (folder to read, folder that receives what is written, path inside).
    :param keep: folders that must stay visible and writable as they are, wherever they lie.
    """

    upper: Path
    binds: tuple[tuple[Path, Path], ...] = ()
    layers: tuple[tuple[Path, Path, Path], ...] = ()
    keep: tuple[Path, ...] = ()

    def mount(self) -> None:
        """Make the mounts.

        :raises subprocess.CalledProcessError: when the kernel refuses one.
        """
        _mount("--make-rprivate", "/")
        _mount("-t", "proc", "proc", "/proc")
        _mount("-t", "tmpfs", "tmpfs", "/run")
        kept = tuple(self._stash(number, path) for number, path in enumerate(self.keep))
        _mount("-t", "tmpfs", "tmpfs", "/tmp")  # noqa: S108
        base = next(
            (_within(path, stash, self.upper) for path, stash in kept if self._is_in(path)), self.upper
        )
        for name in OVERLAID:
            _overlay(Path("/", name), base / name, Path("/", name))
        for path, stash in kept:
            path.mkdir(parents=True, exist_ok=True)
            _mount("--bind", str(stash), str(path))
        for source, target in self.binds:
            _prepare_target(source, target)
            _mount("--bind", str(source), str(target))
        for lower, upper, target in self.layers:
            target.mkdir(parents=True, exist_ok=True)
            _overlay(lower, upper, target)

    def _is_in(self, folder: Path) -> bool:
        return self.upper.is_relative_to(folder)

    @staticmethod
    def _stash(number: int, path: Path) -> tuple[Path, Path]:
        stash = STASH / str(number)
        stash.mkdir(parents=True)
        _mount("--rbind", str(path), str(stash))
        return path, stash


def _within(path: Path, stash: Path, inner: Path) -> Path:
    """Return where ``inner``, a path below ``path``, lies below the stash of ``path``."""
    return stash / inner.relative_to(path)


def _overlay(lower: Path, upper: Path, target: Path) -> None:
    work = upper.with_name(f"{upper.name}.work")
    upper.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", str(target))


def _prepare_target(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(exist_ok=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
