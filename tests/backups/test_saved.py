from __future__ import annotations

from pathlib import Path

import pytest
from tests.backups.conftest import OF, FakeNode

from escalator.backups.keeper import BackupKeeper
from escalator.backups.saved import SavedBackup
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code
from escalator.system_support.backup.contents import BackupWish


def test_what_is_damaged_or_gone_is_refused_for_good(keeper: BackupKeeper, folder: Path) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())
    saved = SavedBackup(record=record, store=keeper.store)
    saved.prove()
    (archive,) = folder.rglob("*.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-1])
    for _ in range(2):
        with pytest.raises(InvalidRequestError) as refused:
            saved.prove()
        assert refused.value.code is Code.BACKUP_FAILED
        assert "name another backup" in str(refused.value.remedy)
        archive.unlink(missing_ok=True)
    (manifest,) = folder.rglob("*.json")
    manifest.write_text("{}")
    with pytest.raises(InvalidRequestError):
        saved.read_manifest()
