"""What is wrong with a bundle's file, fault by fault, before anything but the file is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.documents.bundles import find_bundle_faults, parse_bundle
from escalator.documents.faults import Fault, LinedMapping
from escalator.model.bundle import COMPUTE, Bundle
from escalator.upgrade_manager.conditions.bundles import list_unserved


def find_faults(document: object) -> list[Fault]:
    """Find every fault of a bundle, in the order of the lines.

    They are those of its form; when it has none, what no campaign of this release could do with it.

    :param document: what a YAML reader made of the file, of any form.
    """
    faults = find_bundle_faults(document)
    if faults:
        return faults
    found = _find_unusable(parse_bundle(document))
    if isinstance(document, LinedMapping):
        found = (fault._replace(line=document.line_of(fault.at)) for fault in found)
    return sorted(found, key=lambda fault: fault.line or 0)


def _find_unusable(bundle: Bundle) -> Iterator[Fault]:
    if bundle.target_version(COMPUTE) is None:
        yield Fault(("components",), f"none is {COMPUTE}: nothing tells whether a node is upgraded")
    for at, wish in list_unserved(bundle):
        yield Fault(at, f"this release does not do it: {wish}")
