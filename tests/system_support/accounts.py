"""An sshd on a machine of its own accounts: users who are not root, with sudo or without, whose logins print.

The accounts exist in a mount namespace only: nothing of this machine is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.system_support.conftest import Sshd

PASSWORD = "it's a $ecret"  # a test's
OPS, FREE, BARE, LEAST = "ops", "free", "bare", "escalator"
"""May use sudo with a password, without one, not at all, and as docs/install.md says."""
USERS = (OPS, FREE, BARE, LEAST)
DOCUMENTED = re.findall(
    r"^```sudoers\n(.*?)^```$", (ROOT / "docs/install.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)[0]
RESTRICTED = 'restrict,from="127.0.0.1" '
"""What stands before the key of LEAST."""
SUDOERS = f"""\
root ALL=(ALL:ALL) ALL
{OPS} ALL=(ALL:ALL) ALL
{FREE} ALL=(ALL:ALL) NOPASSWD: ALL
{DOCUMENTED}"""
BASHRC = """\
echo "*** Welcome, $USER. Today: maintenance ***"
printf 'and no end of line:'
echo "a word on stderr" >&2
trap 'echo farewell; echo farewell >&2' EXIT
"""
_ENTER = """\
set -e
mount -t tmpfs tmpfs /home
for name in passwd shadow sudoers; do mount --bind "$1/$name" "/etc/$name"; done
for folder in /run/sudo /var/lib/sudo; do mkdir -p $folder; mount -t tmpfs tmpfs $folder; done
for user in $2; do
  mkdir -p /home/$user/.ssh
  cp "$1/bashrc" /home/$user/.bashrc
  cp "$1/keys_of_$user" /home/$user/.ssh/authorized_keys
  chown -R $user /home/$user
done
shift 2
exec "$@"
"""


@dataclass(kw_only=True)
class AccountsSshd(Sshd):
    """An sshd whose users are USERS; all have PASSWORD and the user key."""

    def prepare(self) -> None:
        super().prepare()
        digest = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True
        ).stdout.strip()
        ids = {user: 47110 + number for number, user in enumerate(USERS)}
        lines = "".join(f"{user}:x:{ids[user]}:65534::/home/{user}:/bin/bash\n" for user in USERS)
        (self.home / "passwd").write_text(Path("/etc/passwd").read_text() + lines)
        lines = "".join(f"{user}:{digest}:19000:0:99999:7:::\n" for user in USERS)
        (self.home / "shadow").write_text(Path("/etc/shadow").read_text() + lines)
        (self.home / "sudoers").write_text(SUDOERS)
        (self.home / "sudoers").chmod(0o440)
        (self.home / "bashrc").write_text(BASHRC)
        key = (self.home / "user_key.pub").read_text()
        for user in USERS:
            (self.home / f"keys_of_{user}").write_text(RESTRICTED + key if user == LEAST else key)
        self.options = {
            "AuthorizedKeysFile": ".ssh/authorized_keys",
            "PasswordAuthentication": "yes",
            "SetEnv": "LANG=C",
        }
        enter = ("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _ENTER, "sh")
        self.before = (*enter, str(self.home), " ".join(USERS))


def find_lacking() -> str:
    """Say why there cannot be such a machine here; empty: there can."""
    if os.geteuid() != 0:
        return "a mount namespace needs root"
    lacking = [name for name in ("sudo", "unshare", "openssl") if shutil.which(name) is None]
    return f"{', '.join(lacking)} not installed" if lacking else ""
