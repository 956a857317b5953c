"""Which sources of HA groups there are, in their order of precedence."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from escalator.model.errors import InvalidRequestError
from escalator.settings.places import VNF_VARIABLE, find_own_vnf_dir
from escalator.vim_interface.registry.found import HaGroupSource
from escalator.vim_interface.registry.nova_metadata import NovaMetadata
from escalator.vim_interface.registry.vnf_files import VnfFiles, read_vnf_files

log = logging.getLogger(__name__)


def find_vnf_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the VNF files: ``ESCALATOR_VNF_DIR``, else the one that comes along."""
    return Path(environment.get(VNF_VARIABLE) or find_own_vnf_dir())


def read_vnf_names(folder: Path | None = None) -> dict[str, str]:
    """Return the name of the VNF that each declared group is a part of, by the group's id.

    Files that cannot be read name none: this is for what is told of the past.
    """
    try:
        declared = read_vnf_files(folder or find_vnf_dir()).declared
    except InvalidRequestError as exc:
        log.warning("which VNFs the groups are a part of is not known: %s", exc)
        return {}
    return {group.id: group.vnf for group in declared}


def load_ha_sources(
    folder: Path | None = None, *, pushed: HaGroupSource | None = None
) -> tuple[HaGroupSource, ...]:
    """Read what HA groups come from: the operator's files, what managers put, the metadata of servers.

    :param folder: folder of the VNF files; None: :func:`find_vnf_dir`.
    :param pushed: the constraints that managers of VNFs put over the VIM interface; None: there are none.
    :raises InvalidRequestError: a file has faults, or a folder that was named is not there: without its
        constraints more members would go out than may.
    """
    folder = folder or find_vnf_dir()
    between = () if pushed is None else (pushed,)
    if folder.is_dir():
        return (read_vnf_files(folder), *between, NovaMetadata())
    if folder != find_own_vnf_dir():
        raise InvalidRequestError(
            f"there is no folder {folder} for VNF files",
            remedy="correct ESCALATOR_VNF_DIR, or make the folder; it may be empty",
        )
    return (VnfFiles(declared=()), *between, NovaMetadata())
