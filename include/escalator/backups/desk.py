"""What the steps ask for backups: the store, opened when it is needed, and the book of the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Self

from escalator.backups.address import find_store_url, hide_credentials
from escalator.backups.keeper import BackupKeeper, BackupOf
from escalator.ledger.backup_book import BackupBook
from escalator.model.campaign import CampaignPlan
from escalator.settings.places import BACKUP_PATHS_VARIABLE, parse_backup_paths
from escalator.system_support.backup.contents import DEFAULT_PATHS


@dataclass(frozen=True, kw_only=True)
class BackupDesk:
    """The store that the operator has set, and the book of what is in it.

    :ivar url: of the store; it may hold credentials.
    :ivar installation: whose backups they are.
    :ivar paths_text: what the operator wants to be saved of nodes, as it was set; empty: the default.
    """

    url: str
    book: BackupBook
    installation: str
    clock: Callable[[], datetime]
    paths_text: str = ""

    def __repr__(self) -> str:
        """Name it without credentials."""
        return f"BackupDesk({hide_credentials(self.url)})"

    @classmethod
    def find(
        cls,
        book: BackupBook,
        *,
        installation: str,
        clock: Callable[[], datetime],
        environment: Mapping[str, str] = os.environ,
    ) -> Self | None:
        """Return the desk of the environment; None: no store is set, and no backup is taken.

        What is wrong with the settings is said by who uses them: it keeps no node from being given back.
        """
        url = find_store_url(environment)
        if url is None:
            return None
        text = environment.get(BACKUP_PATHS_VARIABLE, "")
        return cls(url=url, book=book, installation=installation, clock=clock, paths_text=text)

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the files and folders of nodes that are saved.

        :raises InvalidRequestError: what the operator wants is no list of absolute paths.
        """
        return parse_backup_paths(self.paths_text) or DEFAULT_PATHS

    def name(self, plan: CampaignPlan, bundle: str, host: str = "") -> BackupOf:
        """Name the backup of a node, or of the cloud, for the run of a plan."""
        return BackupOf(
            installation=self.installation,
            cloud=plan.request.cloud,
            campaign=plan.campaign,
            run_id=plan.run_id,
            bundle=bundle,
            host=host,
        )

    @cached_property
    def keeper(self) -> BackupKeeper:
        """Open the store.

        :raises InvalidRequestError: its URL is not usable.
        :raises TransientError: it does not answer.
        """
        from escalator.backups.opening import open_store  # noqa: PLC0415  (fsspec: most tasks need none)

        return BackupKeeper(store=open_store(self.url), clock=self.clock)

    def close(self) -> None:
        """Let go of the store; it is opened anew when it is needed again."""
        self.__dict__.pop("keeper", None)
