import base64
import json
import stat
from pathlib import Path

from escalator.airflow_stack.credentials import ensure_credentials
from escalator.airflow_stack.settings import StackSettings


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path)
    first = ensure_credentials(settings)
    assert ensure_credentials(settings) == first
    files = list(settings.secrets.iterdir())
    assert len(files) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(settings.secrets.stat().st_mode) == 0o700


def test_airflow_and_we_know_the_same_password(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path)
    made = ensure_credentials(settings)
    assert json.loads(made.simple_auth_file.read_text()) == {"admin": made.admin_password}
    assert settings.password_file.read_text().strip() == made.admin_password
    assert len(made.admin_password) >= 32


def test_two_stacks_share_no_secret_and_none_shows(tmp_path: Path) -> None:
    one, other = (ensure_credentials(StackSettings(home=tmp_path, instance=number)) for number in (0, 1))
    for name in ("admin_password", "jwt_secret", "fernet_key", "api_secret"):
        assert getattr(one, name) != getattr(other, name)
        assert getattr(one, name) not in repr(one)


def test_the_fernet_key_has_the_length_that_fernet_wants(tmp_path: Path) -> None:
    key = ensure_credentials(StackSettings(home=tmp_path)).fernet_key
    assert len(base64.urlsafe_b64decode(key)) == 32
