"""Links in the playbook folder: within it they are the operator's, out of it they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.system_support.playbooks.links import find_links_out, refuse_links_out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "playbooks"
    (made / "roles" / "nova").mkdir(parents=True)
    (made / "nova.yml").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "playbooks-of-others").mkdir()
    return made


def test_links_within_the_folder_are_its_owners(folder: Path, tmp_path: Path) -> None:
    (folder / "..data").symlink_to("roles")  # so Kubernetes mounts a ConfigMap
    (folder / "site.yml").symlink_to(folder / "nova.yml")
    (folder / ".git").mkdir()
    (folder / ".git" / "hooks").symlink_to("/usr/share")
    linked = tmp_path / "link-to-the-folder"
    linked.symlink_to(folder)
    assert list(find_links_out(folder)) == list(find_links_out(linked)) == []
    refuse_links_out(folder, "worker-1")
    refuse_links_out(tmp_path / "absent", "worker-1")


@pytest.mark.parametrize("where", ["up.yml", "roles/nova/tasks", "group_vars"])
@pytest.mark.parametrize("to", ["outside", "playbooks-of-others", "absent"])
def test_links_out_of_it_are_refused_with_where_they_lead(
    folder: Path, tmp_path: Path, where: str, to: str
) -> None:
    (folder / where).symlink_to(tmp_path / to)
    assert list(find_links_out(folder)) == [(folder / where, tmp_path / to)]
    with pytest.raises(InvalidRequestError) as refused:
        refuse_links_out(folder, "worker-1")
    assert str(refused.value).startswith(
        "the worker worker-1 has links that lead out of its playbook folder: "
        f"{folder / where} leads to {tmp_path / to} -> put the files there"
    )


def test_a_link_through_another_one_and_a_circle_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert list(find_links_out(folder)) == []
    (folder / "c").symlink_to("d")
    (folder / "d").symlink_to(tmp_path / "outside")
    assert [path.name for path, _ in find_links_out(folder)] == ["c", "d"]
