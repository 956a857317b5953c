"""What an installer is told beside package and version: on a node of real environments, without a network."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.conftest import LocalShell
from tests.system_support.mechanisms.conftest import make_wheel
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import Artefact, VenvMechanism
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms import Effect, JobFailedError
from escalator.system_support.mechanisms.artefact_scripts import name_folder
from escalator.system_support.mechanisms.extras import WithExtras
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.mechanisms.venv_install import name_environment, write_agree
from escalator.system_support.mechanisms.venv_scripts import write_source_script, write_stage_script

if TYPE_CHECKING:
    from tests.system_support.mechanisms.conftest import VenvNode

NOVA = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute", installer="uv")
SUM = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node without a connection; its packages are where a test puts them."""

    local: LocalShell
    folder: Path
    mechanism: VenvMechanism

    def but(self, **changes: object) -> Node:
        return replace(self, mechanism=replace(self.mechanism, **changes))  # type: ignore[arg-type]

    def brings(self, *artefacts: Artefact) -> WithExtras:
        jobs, folder = str(self.folder / "jobs"), str(self.folder / "artefacts")
        on_node = VenvOnNode(self.mechanism, artefacts, base=jobs, folder=folder)
        return WithExtras(on_node, artefacts, base=jobs, folder=folder)

    def stage(self, *artefacts: Artefact, version: str = "1.0.0") -> Effect:
        return self.brings(*artefacts).stage(make_job(lambda: self.local, "stage", version))

    def find_lacking(self, *artefacts: Artefact, version: str = "1.0.0") -> list[str]:
        return [verdict.message for verdict in self.brings(*artefacts).check_source(self.local, version)]

    def environment(self, *artefacts: Artefact, version: str = "1.0.0") -> Path:
        return Path(f"{self.mechanism.venv}-{name_environment(self.mechanism, version, artefacts)}")

    def packages(self, *artefacts: Artefact) -> set[str]:
        found = self.environment(*artefacts).glob("lib/python*/site-packages/*.dist-info")
        return {path.name.removesuffix(".dist-info") for path in found}

    def left(self) -> list[str]:
        """What lies beside the link."""
        folder = Path(self.mechanism.venv).parent
        return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.fixture
def node(local: LocalShell, uv: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    for name in ("UV_NO_INDEX", "UV_FIND_LINKS", "UV_INDEX_URL", "PIP_NO_INDEX", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    folder = tmp_path / "it's a node"
    (folder / "opt").mkdir(parents=True)
    mechanism = VenvMechanism(
        venv=str(folder / "opt/venv"), package="demo-agent", service="demo", installer=uv
    )
    return Node(local=local, folder=folder, mechanism=mechanism)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Two versions of an agent and of its driver."""
    for version in ("1.0.0", "2.0.0"):
        make_wheel(tmp_path / "house", version)
        make_wheel(tmp_path / "house", version, name="demo_driver")
    return tmp_path / "house"


def keep(path: Path) -> Artefact:
    return Artefact(name=path.name, source=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_an_environment_of_many_parts(node: Node, house: Path) -> None:
    make_wheel(house, "3.0", needs="Provides-Extra: fast\nRequires-Dist: speed; extra == 'fast'\n")
    make_wheel(house, "1.0", name="speed")
    make_wheel(house, "1.0", name="tool")
    (house / "upper.txt").write_text("demo-driver===1.0.0\n")
    many = node.but(
        extras=("fast",),
        requirements=("demo-driver", "tool>=1"),
        constraints=str(house / "upper.txt"),
        wheels=str(house),
        imports=("demo_agent", "demo_driver", "tool", "speed"),
    )
    assert many.find_lacking(version="3.0") == []
    assert many.left() == []
    assert many.stage(version="3.0") is Effect.STAGED
    found = many.environment(version="3.0").glob("lib/python*/site-packages/*.dist-info")
    brought = {path.name.removesuffix(".dist-info") for path in found}
    assert brought >= {"demo_agent-3.0", "demo_driver-1.0.0", "speed-1.0", "tool-1.0"}
    assert many.stage(version="3.0") is Effect.ALREADY_STAGED


def test_what_is_to_come_beside_the_package_is_asked_for_too(node: Node, house: Path) -> None:
    lacking = node.but(wheels=str(house), requirements=("demo-driver>2",))
    (said,) = lacking.find_lacking()
    assert "only demo-driver<=2.0.0 is available" in said
    with pytest.raises(JobFailedError, match=r"only demo-driver<=2\.0\.0 is available"):
        lacking.stage()


def test_a_folder_of_wheels_that_is_not_there_is_said(node: Node) -> None:
    lacking = node.but(wheels="/nowhere/it's")
    (said,) = lacking.find_lacking()
    assert said.endswith("the wheel house /nowhere/it's is no folder of this node")
    with pytest.raises(JobFailedError, match="is no folder of this node"):
        lacking.stage()
    assert lacking.left() == []


@pytest.mark.parametrize("name", ["house.tar", "house.tar.gz"])
def test_an_archive_of_wheels_comes_as_an_artefact(node: Node, house: Path, name: str) -> None:
    shutil.move(house / "demo_driver-1.0.0-py3-none-any.whl", house.parent)
    (house / "below").mkdir()
    shutil.move(house.parent / "demo_driver-1.0.0-py3-none-any.whl", house / "below")
    with tarfile.open(house.parent / name, "w:gz" if name.endswith("gz") else "w") as archive:
        archive.add(house, "a folder")
    packed = node.but(wheels=f"$ESCALATOR_ARTEFACTS/{name}", requirements=("demo-driver<2",))
    artefact = keep(house.parent / name)
    assert packed.find_lacking(artefact) == []  # the artefact is there to be had, what is in it nobody knows
    assert packed.stage(artefact) is Effect.STAGED
    assert packed.packages(artefact) == {"demo_agent-1.0.0", "demo_driver-1.0.0"}
    assert packed.left() == [packed.environment(artefact).name]
    (said,) = packed.find_lacking(artefact, version="9.9.9")
    assert "9.9.9" in said


def test_what_is_no_archive_is_not_unpacked(node: Node, house: Path) -> None:
    (house / "bad.tar").write_text("no archive\n")
    bad = node.but(wheels=f"{house}/bad.tar")
    with pytest.raises(JobFailedError, match=r"the wheel house .*bad.tar cannot be unpacked"):
        bad.stage()
    assert bad.left() == []


def test_all_artefacts_together_are_a_wheel_house_and_one_may_be_the_constraints(
    node: Node, house: Path
) -> None:
    (house / "upper.txt").write_text("demo-driver===1.0.0\n")
    artefacts = [keep(path) for path in sorted(house.iterdir())]
    all_of_them = node.but(
        wheels="$ESCALATOR_ARTEFACTS",
        constraints="$ESCALATOR_ARTEFACTS/upper.txt",
        requirements=("demo-driver",),
    )
    assert all_of_them.find_lacking(*artefacts) == []
    assert all_of_them.stage(*artefacts) is Effect.STAGED
    assert all_of_them.packages(*artefacts) == {"demo_agent-1.0.0", "demo_driver-1.0.0"}
    folder = Path(name_folder(artefacts, str(node.folder / "artefacts")))
    assert (folder / "upper.txt").exists()


def test_an_index_and_another_one(node: Node, house: Path) -> None:
    urls = []
    for name in ("demo-agent", "demo-driver"):
        pages = house.parent / f"index of {name}" / name
        pages.mkdir(parents=True)
        for wheel in house.glob(f"{name.replace('-', '_')}-*"):
            shutil.copy(wheel, pages)
        links = "".join(f'<a href="{wheel.name}">{wheel.name}</a>\n' for wheel in sorted(pages.iterdir()))
        (pages / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
        urls.append(pages.parent.as_uri())
    indexed = node.but(index=urls[0], extra_indexes=(urls[1],), requirements=("demo-driver<2",))
    assert indexed.find_lacking() == []
    assert indexed.stage() is Effect.STAGED
    assert indexed.packages() >= {"demo_agent-1.0.0", "demo_driver-1.0.0"}
    (said,) = indexed.find_lacking(version="9.9.9")
    assert "9.9.9" in said


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            "import of_another\n",
            "demo_driver does not import: ModuleNotFoundError: No module named 'of_another'",
        ),
        ("raise ValueError('first\\n\\nlast')\n", "demo_driver does not import: last"),
        ("import os\nos._exit(7)\n", "demo_driver does not import: its process ends with exit code 7"),
    ],
)
def test_what_does_not_import_is_not_staged_and_leaves_nothing(
    node: Node, house: Path, module: str, words: str
) -> None:
    make_wheel(house, "5.0", name="demo_driver", module=module)
    driven = node.but(wheels=str(house), requirements=("demo-driver",), imports=("demo_agent", "demo_driver"))
    with pytest.raises(JobFailedError) as caught:
        driven.stage()
    assert caught.value.message.endswith(f"what the installer brought is not enough: {words}")
    assert driven.left() == []


def test_a_driver_that_nobody_brought_is_found_before_the_node_counts_as_staged(
    node: Node, house: Path
) -> None:
    assert node.but(wheels=str(house)).stage() is Effect.STAGED
    with pytest.raises(JobFailedError, match="demo_driver does not import: ModuleNotFoundError"):
        node.but(wheels=str(house), imports=("demo_driver",)).stage()


def find_own_packages() -> tuple[str, list[str]]:
    """Return this interpreter without its environment, and modules that are packages of its own."""
    look = "import importlib.util as u; print(*(m for m in ('pip', 'setuptools', 'yaml') if u.find_spec(m)))"
    base = str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"))
    said = subprocess.run([base, "-I", "-c", look], capture_output=True, text=True, check=True).stdout.split()
    return base, said


def test_the_packages_of_the_interpreter_are_seen_when_the_bundle_says_so(node: Node, house: Path) -> None:
    base, own = find_own_packages()
    if not own:
        pytest.skip("the interpreter has no package of its own")
    alone = node.but(wheels=str(house), python=base, imports=(own[-1],))
    with pytest.raises(JobFailedError, match="does not import"):
        alone.stage()
    seeing = alone.but(system_site_packages=True)
    assert seeing.stage() is Effect.STAGED
    assert seeing.stage() is Effect.ALREADY_STAGED
    assert seeing.packages() == {"demo_agent-1.0.0"}


def test_pip_is_told_the_same(node: Node, house: Path) -> None:
    base, _ = find_own_packages()
    (house / "upper.txt").write_text("demo-driver===1.0.0\n")
    told = node.but(
        installer="pip",
        python=base,
        requirements=("demo-driver",),
        constraints=str(house / "upper.txt"),
        wheels=str(house),
        system_site_packages=True,
        imports=("demo_driver",),
    )
    assert told.stage() is Effect.STAGED
    assert told.packages() >= {"demo_agent-1.0.0", "demo_driver-1.0.0"}
    indexed = replace(NOVA, installer="pip", index="https://a/simple", extra_indexes=("https://b/simple",))
    for write in (write_stage_script, write_source_script):
        assert " --index-url https://a/simple --extra-index-url https://b/simple nova==34.0.0" in write(
            indexed, "34.0.0"
        )


def test_what_other_options_made_is_not_taken_and_not_touched(driver_node: VenvNode) -> None:
    """The version is the same; the service is restarted all the same, in the environment of this bundle."""

    def bring(on_node: VenvOnNode) -> tuple[Effect, Effect]:
        made = [make_job(driver_node.sshd.shell, step, "1.0.0") for step in ("stage", "activate")]
        return on_node.stage(made[0]), on_node.activate(made[1])

    plain = replace(
        driver_node.mechanism, extras=(), requirements=(), imports=(), constraints=None, wheels=None
    )
    old = VenvOnNode(plain, base=driver_node.jobs + "-old")
    assert bring(old) == (Effect.STAGED, Effect.ACTIVATED)
    first = driver_node.link.resolve()
    assert first.name == "venv-1.0.0"
    new = driver_node.on_node
    with pytest.raises(JobFailedError, match="is not staged"):
        new.activate(make_job(driver_node.sshd.shell, "early", "1.0.0"))
    assert bring(new) == (Effect.STAGED, Effect.ACTIVATED)
    assert driver_node.restarts() == 2
    assert driver_node.link.resolve().name.startswith("venv-1.0.0~")
    assert first.is_dir()
    with driver_node.sshd.shell() as shell:
        found = new.installed(shell)
    assert (found.version, found.running, found.previous) == ("1.0.0", "1.0.0", str(first))


def test_the_version_is_read_too_where_no_file_of_the_environment_is_in_memory(driver_node: VenvNode) -> None:
    driver_node.hide_version()
    driver_node.on_node.stage(make_job(driver_node.sshd.shell, "stage", "1.0.0"))
    driver_node.on_node.activate(make_job(driver_node.sshd.shell, "activate", "1.0.0"))
    with driver_node.sshd.shell() as shell:
        assert driver_node.on_node.installed(shell).running == "1.0.0"


def test_an_environment_without_options_has_the_name_that_it_always_had() -> None:
    assert name_environment(NOVA, "34.0.0") == "34.0.0"
    assert name_environment(NOVA, "34.0.0", [Artefact(name="x", source="/x", sha256=SUM)]) == "34.0.0"
    assert name_environment(replace(NOVA, installer="pip", python="python3.12"), "34.0.0") == "34.0.0"


def test_every_option_makes_another_environment() -> None:
    changes: list[dict[str, object]] = [
        {"extras": ("a",)},
        {"requirements": ("a",)},
        {"constraints": "/a"},
        {"index": "https://a"},
        {"extra_indexes": ("https://a",)},
        {"wheels": "/a"},
        {"wheels": "/b"},
        {"system_site_packages": True},
        {"imports": ("a",)},
    ]
    named = [name_environment(replace(NOVA, **change), "34.0.0") for change in changes]  # type: ignore[arg-type]
    assert len({"34.0.0", *named}) == len(changes) + 1
    assert all(name.startswith("34.0.0~") for name in named)


def test_the_order_of_what_has_none_does_not_matter() -> None:
    one, other = (replace(NOVA, requirements=order, imports=order) for order in (("a", "b"), ("b", "a")))
    assert name_environment(one, "1") == name_environment(other, "1")


def test_of_the_artefacts_those_count_that_the_installer_needs() -> None:
    ours, other = Artefact(name="u.txt", source="/u", sha256=SUM), Artefact(name="o", source="/o", sha256=SUM)
    told = replace(NOVA, constraints="$ESCALATOR_ARTEFACTS/u.txt")
    named = name_environment(told, "1", [ours])
    assert name_environment(told, "1", [other, ours]) == named
    assert name_environment(told, "1", [replace(ours, sha256="1" * 64)]) != named
    everything = replace(NOVA, wheels="$ESCALATOR_ARTEFACTS")
    assert name_environment(everything, "1", [ours]) != name_environment(everything, "1", [other, ours])


def test_all_that_comes_from_a_bundle_is_quoted() -> None:
    evil = "$(touch /tmp/x)'; y"
    told = replace(
        NOVA,
        extras=(evil,),
        requirements=(evil,),
        constraints=f"/{evil}",
        wheels=f"/{evil}.tar",
        imports=(evil,),
    )
    for mechanism in (told, replace(told, installer="pip"), replace(told, wheels=None, index=evil)):
        for write in (write_stage_script, write_source_script):
            script = write(mechanism, "34.0.0")
            done = subprocess.run(
                ["/bin/sh", "-n"], input=script, text=True, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr


def test_a_requirement_that_is_an_option_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="is an option"):
        write_stage_script(replace(NOVA, requirements=("--index-url=x",)), "34.0.0")


def test_what_the_packages_of_the_interpreter_lack_is_not_ours_to_mend() -> None:
    pip = replace(NOVA, installer="pip")
    assert "-m pip check" in write_agree(pip)
    assert "sys.prefix" not in write_agree(pip)
    assert "sys.prefix" in write_agree(replace(pip, system_site_packages=True))
