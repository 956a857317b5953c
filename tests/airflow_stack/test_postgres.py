import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from escalator.airflow_stack import template
from escalator.airflow_stack.errors import ComponentFailedError, PortTakenError, StackError
from escalator.airflow_stack.postgres import Cluster, copy_cluster, find_binaries
from escalator.lab.processes import PidFile, wait_until
from escalator.lab.progress import silent
from escalator.model.errors import InvalidRequestError

pytestmark = pytest.mark.stack


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def cluster_in(folder: Path) -> Cluster:
    return Cluster(
        data=folder / "data",
        port=free_port(),
        password="word",
        pid_file=PidFile(path=folder / "postgres.json"),
        log=folder / "postgres.log",
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # tmp_path_factory's folders are closed to other users, as /root is: the server must manage all the same.
    cluster = cluster_in(tmp_path_factory.mktemp("cluster"))
    cluster.create()
    cluster.start()
    yield cluster
    cluster.stop()


def test_databases_are_made_once_and_keep_what_is_in_them(cluster: Cluster) -> None:
    url = cluster.ensure_database("ledger")
    cluster.query("create table t (x int)", database="ledger")
    cluster.query("insert into t values (7)", database="ledger")
    assert cluster.ensure_database("ledger") == url
    assert cluster.query("select x from t", database="ledger") == "7"
    assert url == f"postgresql+psycopg2://airflow:word@127.0.0.1:{cluster.port}/ledger"


@pytest.mark.parametrize("name", ["", "a-b", "a;b", 'x"', "ä"])
def test_a_name_that_is_no_identifier_is_refused(cluster: Cluster, name: str) -> None:
    with pytest.raises(InvalidRequestError):
        cluster.ensure_database(name)


def test_nobody_gets_in_with_another_password(cluster: Cluster) -> None:
    stranger = Cluster(
        data=cluster.data, port=cluster.port, password="guess", pid_file=cluster.pid_file, log=cluster.log
    )
    with pytest.raises(StackError, match="password authentication failed"):
        stranger.query("select 1")


def test_the_port_of_another_server_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    late = Cluster(
        data=tmp_path / "data",
        port=cluster.port,
        password="word",
        pid_file=PidFile(path=tmp_path / "postgres.json"),
        log=tmp_path / "log",
    )
    with pytest.raises(PortTakenError, match="postgres"):
        late.start()


def test_after_a_kill_one_start_is_enough(cluster: Cluster) -> None:
    where = ["-h", "127.0.0.1", "-p", str(cluster.port), "-U", "airflow", "-d", "postgres"]
    client = subprocess.Popen(
        [str(find_binaries() / "psql"), "-Xq", *where, "-c", "select pg_sleep(60)"],
        env={"PGPASSWORD": cluster.password, "PATH": os.environ["PATH"]},
        stderr=subprocess.DEVNULL,
    )
    assert wait_until(lambda: "pg_sleep(60)" in busy(cluster), timeout_seconds=20)
    leader = cluster.pid_file.alive()
    assert leader is not None
    os.kill(leader.pid, signal.SIGKILL)
    wait_until(lambda: not leader.is_alive(), timeout_seconds=5)
    cluster.start()
    assert cluster.query("select 1") == "1"
    assert "pg_sleep" not in busy(cluster)
    client.wait(timeout=20)


def busy(cluster: Cluster) -> str:
    return cluster.query("select query from pg_stat_activity where pid != pg_backend_pid()")


def test_the_number_of_a_killed_server_may_be_that_of_another_one_now(
    cluster: Cluster, tmp_path: Path
) -> None:
    leader = cluster.pid_file.alive()
    assert leader is not None
    other = cluster_in(tmp_path)
    other.create()
    (other.data / "postmaster.pid").write_text(f"{leader.pid}\n{other.data}\n1\n1\n\n127.0.0.1\n0 0\n")
    try:
        other.start()
        assert (other.query("select 1"), cluster.query("select 2")) == ("1", "2")
    finally:
        other.stop()


def test_a_server_that_ends_at_once_is_started_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = cluster_in(tmp_path)
    broken.data.mkdir()
    tries: list[None] = []
    monkeypatch.setattr(Cluster, "_spawn", lambda _self: tries.append(None))
    with pytest.raises(ComponentFailedError, match="ended at once"):
        broken.start()
    assert len(tries) == 3


def test_a_stopped_cluster_can_be_copied_and_the_copy_runs(cluster: Cluster, tmp_path: Path) -> None:
    cluster.ensure_database("kept")
    assert cluster.stop()
    assert not cluster.stop()
    copy = cluster_in(tmp_path)
    copy_cluster(cluster.data, copy.data)
    try:
        copy.start()
        assert copy.query("select 1 from pg_database where datname = 'kept'") == "1"
    finally:
        copy.stop()
        cluster.start()
    assert copy.pid_file.alive() is None


def test_a_failed_migration_leaves_no_half_made_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_cluster: Cluster, **_more: object) -> None:
        raise ComponentFailedError("no")

    monkeypatch.setattr(template, "migrate", fail)
    half = cluster_in(tmp_path)
    wanted = template.Template(home=tmp_path / "home", include=tmp_path)
    with pytest.raises(ComponentFailedError):
        template.ensure_cluster(half, wanted, environment={}, progress=silent())
    assert not half.data.exists()
    assert not wanted.folder.exists()
    assert half.pid_file.alive() is None
    monkeypatch.setattr(template, "migrate", lambda _cluster, **_more: None)
    template.ensure_cluster(half, wanted, environment={}, progress=silent())
    assert half.stop()
    assert wanted.folder.exists()
