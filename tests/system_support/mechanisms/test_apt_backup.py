"""The backup of a real Debian machine: packages and where they came from, units, configuration."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.apt_packages import AGENT, CONFFILE

from escalator.model.bundle import Bundle, Component
from escalator.system_support.backup.contents import make_wish
from escalator.system_support.backup.reading import read_node

if TYPE_CHECKING:
    from tests.system_support.mechanisms.apt_node import AptNode

pytestmark = pytest.mark.lab


def test_what_apt_brought_is_saved_with_its_file_and_its_source(apt_node: AptNode) -> None:
    apt_node.bring("1.0.0")
    bundle = Bundle(
        name="b", components=(Component(name="nova-compute", to="2.0.0"),), mechanism=apt_node.mechanism()
    )
    archive = io.BytesIO()
    with apt_node.shell() as shell:
        gave = read_node(shell, make_wish(bundle, [CONFFILE, "/etc/apt"]), archive.write)
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:gz") as found:
        files = {m.name: f.read() for m in found if (f := found.extractfile(m) if m.isreg() else None)}
    told = gave.told
    (agent,) = [package for package in told.packages if package.name == AGENT]
    assert (agent.version, agent.status) == ("1.0.0", "ii")
    assert agent.source is not None
    assert agent.source.endswith("demo-agent_1.0.0_all.deb")
    (deb,) = [content for name, content in files.items() if name.endswith("demo-agent_1.0.0_all.deb")]
    assert agent.sha256 == hashlib.sha256(deb).hexdigest()
    assert CONFFILE.strip("/") in files
    assert any(name.endswith(f"systemd/system/{AGENT}.service") for name in files)
    assert told.units[AGENT]["active"] == "active"
    assert told.software["os"].startswith("Debian")
    assert told.boot_id == apt_node.run("cat /proc/sys/kernel/random/boot_id")
    assert gave.warnings == ()
