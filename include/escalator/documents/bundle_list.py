"""What each bundle of a folder brings, in words for a form: whoever chooses one sees it beside the name."""

from __future__ import annotations

from pathlib import Path

from escalator.documents.bundle_file import list_bundle_names, read_bundle_document
from escalator.documents.bundles import parse_bundle
from escalator.model.bundle import Bundle
from escalator.model.errors import InvalidRequestError


def describe_bundles(folder: Path) -> dict[str, str]:
    """Say what each bundle brings, by name, such as ``nova-compute 34.0.0 by venv``.

    One that cannot be read is named as such: it does not keep the others from being offered.
    """
    return {name: _describe(folder, name) for name in list_bundle_names(folder)}


def _describe(folder: Path, name: str) -> str:
    try:
        bundle = parse_bundle(read_bundle_document(folder, name))
    except (InvalidRequestError, OSError):
        return "cannot be read: a campaign with it is refused and says why"
    return describe_bundle(bundle)


def describe_bundle(bundle: Bundle) -> str:
    """Say what a bundle brings, and how."""
    components = ", ".join(f"{component.name} {component.to}" for component in bundle.components)
    return f"{components or 'nothing'} by {bundle.mechanism.type}"
