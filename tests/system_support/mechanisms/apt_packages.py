"""The packages that the tests of ``apt`` bring: an agent with a unit and a conffile, and its neighbours."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from escalator.lab.machine.repository import Repository
from escalator.lab.machine.signing import SigningKey

AGENT = "demo-agent"
FAIL_POSTINST = "/etc/demo-fail"
"""A file that lets the configuration of the agent, or of a package ``NAME`` by ``demo-fail-NAME``, fail."""
SLOW_POSTINST = "/etc/demo-slow"
"""A file that lets the configuration of the agent take a minute, so that it can be killed."""
WITHOUT_RESTART = "/etc/demo-without-restart"
"""A file that lets the configuration of the agent restart nothing."""
CONFFILE = "/etc/demo-agent.conf"
STARTS = "/var/lib/demo-starts"

_SERVICE = """\
[Service]
ExecStartPre=/bin/sh -c 'echo start >>/var/lib/demo-starts'
ExecStart=/usr/bin/demo-agent
"""
_PROGRAM = "#!/bin/sh\n# version @VERSION@\nexec sleep infinity\n"
_POSTINST = f"""\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
[ ! -e {FAIL_POSTINST} ] || {{ echo "postinst: ordered to fail" >&2; exit 1; }}
[ ! -e {SLOW_POSTINST} ] || sleep 60
systemctl daemon-reload
[ -e {WITHOUT_RESTART} ] || deb-systemd-invoke restart demo-agent.service >/dev/null || true
"""
_NEIGHBOUR_POSTINST = f"""\
#!/bin/sh
set -e
[ ! -e {FAIL_POSTINST}-@NAME@ ] || exit 1
"""
_NEIGHBOUR_SERVICE = "[Service]\nExecStart=/bin/sleep infinity\n"

AGENTS = {
    "1.0.0": "Depends: demo-lib",
    "2.0.0": "Depends: demo-lib",
    "3.0.0": "Conflicts: demo-old",
    "4.0.0": "Depends: demo-switch (>= 2)",
    "5.0.0": "Depends: openvswitch-switch (>= 2)",
}
"""Version of the agent -> what it has to do with its neighbours."""
_WITHOUT_SERVICE = ("demo-lib", "demo-old")


def publish(folder: Path, key: SigningKey) -> Repository:
    """Build all packages and publish them, signed, in a folder."""
    repository = Repository(folder=folder, key=key)
    folder.mkdir(parents=True)
    for version, relation in AGENTS.items():
        build_agent(folder, version, relation)
    for name in (*_WITHOUT_SERVICE, "demo-switch", "openvswitch-switch"):
        for version in ("1.0", "2.0"):
            build_neighbour(folder, name, version, with_service=name not in _WITHOUT_SERVICE)
    repository.publish(datetime.now(UTC))
    return repository


def build_agent(folder: Path, version: str, relation: str) -> None:
    texts = {
        "DEBIAN/conffiles": f"{CONFFILE}\n",
        "DEBIAN/postinst": _POSTINST,
        "etc/demo-agent.conf": f"# of {version}\n",
        "usr/bin/demo-agent": _PROGRAM.replace("@VERSION@", version),
        "lib/systemd/system/demo-agent.service": _SERVICE,
    }
    _build(folder, AGENT, version, texts, relation)


def build_neighbour(folder: Path, name: str, version: str, *, with_service: bool) -> None:
    texts = {
        "DEBIAN/postinst": _NEIGHBOUR_POSTINST.replace("@NAME@", name),
        f"usr/share/{name}/version": version,
    }
    if with_service:
        texts[f"lib/systemd/system/{name}.service"] = _NEIGHBOUR_SERVICE
    _build(folder, name, version, texts, "Section: misc")


def _build(folder: Path, name: str, version: str, texts: dict[str, str], field: str) -> None:
    tree = folder / "tree"
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nInstalled-Size: 40\n{field}\n"
        "Maintainer: Tests <tests@example.org>\nDescription: of the tests\n"
    )
    for path, text in {**texts, "DEBIAN/control": control}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
        if path.startswith("usr/bin/") or path == "DEBIAN/postinst":
            (tree / path).chmod(0o755)
    package = folder / f"{name}_{version}_all.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(package)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)
