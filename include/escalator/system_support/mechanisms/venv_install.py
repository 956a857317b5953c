"""What an installer, pip or uv, is told to make an environment of, and how it is proved: pure text, quoted.

All that a bundle says of it beside package and version gives the environment another name: what other options
made is never taken for it, and what is in use is not touched for it.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from escalator.model.bundle import ARTEFACTS_FOLDER, Artefact, VenvMechanism, is_archive
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.artefact_scripts import name_folder

DIGEST_MARK = "~"
"""Between a version and the digest of the options; no version has it."""
_DIGITS = 12

_BUILD_PIP = """\
{house}{python} -m venv{system} "$target"
  "$target/bin/python" -m pip install --no-input --disable-pip-version-check --compile{options} {wanted}"""
_BUILD_UV = """\
{told}{house}told {uv} venv --no-progress{system}{python} "$target"
  told {uv} pip install --no-progress --compile-bytecode --python "$target/bin/python"{options} {wanted}"""
_ASK_PIP = """\
{python} -m venv{system} "$probe/venv"
"$probe/venv/bin/python" -m pip download --no-input --disable-pip-version-check --quiet --no-deps \\
  --dest "$probe/got"{options} {wanted} >/dev/null"""
_ASK_UV = """\
{told}told {uv} pip install --no-progress --dry-run --no-deps{python} --target "$probe/none"{options} {wanted}
"""
_TOLD = """\
# Run what breaks its error into lines, and end with all of it in one.
told() {
  code=0
  said=$("$@" 2>&1) || code=$?
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  [ "$code" = 0 ] || fail "$(printf '%s' "$said" | tr -s '[:space:]' ' ' | tail -c 600)"
}
"""
_PROBE = """\
probe=$(mktemp -d)
unproved=$probe
"""
_ARCHIVE = """\
house={into}
rm -rf "$house"
mkdir "$house"
tar -xf {place} -C "$house" --no-same-owner || fail "the wheel house "{place}" cannot be unpacked"
find "$house" -mindepth 2 -type f -exec mv -f -t "$house" {{}} +
"""
_FOLDER = """\
[ -d {place} ] || fail "the wheel house "{place}" is no folder of this node"
"""

_AGREE_PIP = '"$target/bin/python" -m pip check --disable-pip-version-check'
_AGREE_PIP_OWN = '"$target/bin/python" -s -c {agree}'
_AGREE_UV = '{uv} pip check --python "$target/bin/python"'
_IMPORTED = """\
# Whether every module loads that the bundle names; each in a process of its own.
imported() {{
  for module in {modules}; do
    code=0
    why=$(cd / && "$target/bin/python" -s -c 'import importlib, sys
importlib.import_module(sys.argv[1])' "$module" 2>&1 </dev/null) || code=$?
    [ "$code" != 0 ] || continue
    printf '%s\\n' "$why" >&2
    why=$(printf '%s\\n' "$why" | sed '/^[[:space:]]*$/d' | tail -n 1)
    why="$module does not import: ${{why:-its process ends with exit code $code}}"
    return 1
  done
}}"""
_ALL_PATH = "path = sys.path"
_OWN_PATH = 'path = [p for p in sys.path if p.startswith(sys.prefix + "/")]'
"""Where an environment that sees the interpreter's packages has its own ones."""

METADATA = """\
import importlib.metadata, sys
PATH
found = next(iter(importlib.metadata.distributions(name=sys.argv[1], path=path)), None)
print(found.version if found else sys.exit(f"{sys.argv[1]} is not in the environment"))
"""
"""Print the version of a package, as its metadata says it. ``PATH``: see :func:`write_own_path`."""
PROVE = """\
import base64, hashlib, importlib, importlib.metadata as metadata, sys
PATH
package, service = sys.argv[1:]
own = next(iter(metadata.distributions(name=package, path=path)))
def unlike(file, of_own):
    path = file.locate()
    if not path.exists():
        return "is missing"
    if file.size is not None and path.stat().st_size != file.size:
        return "has another size"
    if of_own and file.hash is not None:
        read = hashlib.new(file.hash.mode, path.read_bytes()).digest()
        if base64.urlsafe_b64encode(read).rstrip(b"=").decode() != file.hash.value:
            return "has another checksum"
    return ""
for brought in metadata.distributions(path=path):
    of_own = brought.metadata["Name"] == own.metadata["Name"]
    for file in brought.files or ():
        if file.suffix != ".pyc" and file.name != "RECORD" and (wrong := unlike(file, of_own)):
            sys.exit(f"{file} of {brought.metadata['Name']} {wrong}")
starts = [p for p in own.entry_points if p.group == "console_scripts" and p.name == service]
for point in starts:
    point.load()
for file in () if starts else own.files or ():
    if file.suffix == ".py" and (len(file.parts) == 1 or file.parts[1:] == ("__init__.py",)):
        importlib.import_module(file.parts[0].removesuffix(".py"))
"""
"""Compare the files of an environment with what their installer noted, and load what it was made for."""
_AGREE_OWN = """\
import importlib.metadata, re, subprocess, sys
PATH
def plain(name):
    return re.sub("[-_.]+", "-", name).lower()
own = {plain(brought.metadata["Name"]) for brought in importlib.metadata.distributions(path=path)}
asked = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
said = subprocess.run(asked, capture_output=True, text=True)
lines = [line for line in said.stdout.splitlines() if line.strip() and plain(line.split()[0]) in own]
sys.exit("\\n".join(lines) or (said.stderr if said.returncode not in (0, 1) else 0))
"""
"""``pip check``, without what the interpreter's packages lack: that is not the environment's to mend."""


def name_environment(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact] = ()) -> str:
    """Return what stands after ``<venv>-`` in the name of a version's environment.

    :return: the version; with options, the version and their digest. What an artefact has in it counts, what
        is at a URL or at a path of the node does not.
    """
    options = (
        sorted(mechanism.extras),
        sorted(mechanism.requirements),
        mechanism.constraints,
        mechanism.index,
        mechanism.extra_indexes,
        mechanism.wheels,
        mechanism.system_site_packages,
        sorted(mechanism.imports),
    )
    if not any(options):
        return version
    sums = [artefact.sha256 for artefact in _find_needed(mechanism, artefacts)]
    digest = hashlib.sha256(repr((options, sums)).encode()).hexdigest()
    return f"{version}{DIGEST_MARK}{digest[:_DIGITS]}"


def write_build(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact], base: str) -> str:
    """Write what makes ``$target`` of a version."""
    folder = name_folder(artefacts, base)
    values = _values(mechanism, version, folder, '"$target.wheels"')
    return (_BUILD_UV if uses_uv(mechanism) else _BUILD_PIP).format(**values)


def write_ask(mechanism: VenvMechanism, version: str, artefacts: Sequence[Artefact], base: str) -> str:
    """Write what fails where the installer does not find a version; ends well where nobody can say."""
    folder = name_folder(artefacts, base)
    needed = [shlex.quote(f"{folder}/{artefact.name}") for artefact in _find_needed(mechanism, artefacts)]
    waits = "".join(f"[ -e {file} ] || exit 0\n" for file in needed)
    values = _values(mechanism, version, folder, '"$probe/wheels"')
    ask = (_ASK_UV if uses_uv(mechanism) else _ASK_PIP).format(**values)
    return f"{waits}{_PROBE}{values['house']}{ask}"


def write_agree(mechanism: VenvMechanism) -> str:
    """Write what fails where packages of ``$target`` lack one that they need."""
    if uses_uv(mechanism):
        return _AGREE_UV.format(uv=shlex.quote(mechanism.installer))
    if mechanism.system_site_packages:
        return _AGREE_PIP_OWN.format(agree=shlex.quote(write_own_path(_AGREE_OWN, mechanism)))
    return _AGREE_PIP


def write_imports(mechanism: VenvMechanism) -> str:
    """Write the function ``imported``: it fails, with a reason in ``$why``, when a module does not load."""
    if not mechanism.imports:
        return "imported() { :; }"
    return _IMPORTED.format(modules=" ".join(map(shlex.quote, mechanism.imports)))


def write_own_path(program: str, mechanism: VenvMechanism) -> str:
    """Say in a program where the packages of the environment itself are."""
    return program.replace("PATH", _OWN_PATH if mechanism.system_site_packages else _ALL_PATH, 1)


def uses_uv(mechanism: VenvMechanism) -> bool:
    """Tell whether the installer is uv, by name or by path."""
    return PurePosixPath(mechanism.installer).name == "uv"


def _find_needed(mechanism: VenvMechanism, artefacts: Sequence[Artefact]) -> tuple[Artefact, ...]:
    """Return the artefacts that the installer needs, in the order of the bundle."""
    places = {mechanism.constraints, mechanism.wheels}
    return tuple(
        artefact
        for artefact in artefacts
        if mechanism.wheels == ARTEFACTS_FOLDER or f"{ARTEFACTS_FOLDER}/{artefact.name}" in places
    )


def _values(mechanism: VenvMechanism, version: str, folder: str, into: str) -> dict[str, str]:
    """Return what the texts for both installers are filled with; ``into``: where an archive is unpacked."""
    python = shlex.quote(mechanism.python)
    if uses_uv(mechanism):  # named only when the bundle does: else uv chooses, or UV_PYTHON on the node
        python = "" if mechanism.python == "python3" else f" --python {python}"
    extras = f"[{','.join(sorted(mechanism.extras))}]" if mechanism.extras else ""
    wanted = [f"{mechanism.package}{extras}=={version}", *mechanism.requirements]
    if any(word.startswith("-") for word in wanted):
        raise InvalidRequestError("a requirement of the mechanism is an option", remedy="correct the bundle")
    options, house = _write_options(mechanism, folder, into)
    return {
        "uv": shlex.quote(mechanism.installer),
        "told": _TOLD,
        "python": python,
        "system": " --system-site-packages" if mechanism.system_site_packages else "",
        "options": options,
        "house": house,
        "wanted": " ".join(map(shlex.quote, wanted)),
    }


def _write_options(mechanism: VenvMechanism, folder: str, into: str) -> tuple[str, str]:
    """Write the options of the installer, each after a blank, and what has to be done before."""
    words: list[str] = []
    house = ""
    if mechanism.constraints is not None:
        words += ["--constraint", shlex.quote(_place(mechanism.constraints, folder))]
    if mechanism.index is not None:
        words += ["--index-url", shlex.quote(mechanism.index)]
    for url in mechanism.extra_indexes:
        words += ["--extra-index-url", shlex.quote(url)]
    if mechanism.wheels is not None:
        place = shlex.quote(_place(mechanism.wheels, folder))
        packed = is_archive(mechanism.wheels)
        house = (_ARCHIVE if packed else _FOLDER).format(place=place, into=into)
        words += ["--no-index", "--find-links", '"$house"' if packed else place]
    return "".join(f" {word}" for word in words), house


def _place(place: str, folder: str) -> str:
    """Return the path of what may be an artefact; what stands at a URL stays one."""
    if place == ARTEFACTS_FOLDER or place.startswith(f"{ARTEFACTS_FOLDER}/"):
        return folder + place.removeprefix(ARTEFACTS_FOLDER)
    return place
