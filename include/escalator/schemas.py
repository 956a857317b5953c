"""JSON schemas of what people write and of what they read by programs: ``include/schemas``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from escalator.documents.bundles import BundleDocument
from escalator.documents.document_model import DocumentModel
from escalator.documents.requests import CampaignDocument
from escalator.documents.windows import WindowsDocument
from escalator.events.event_document import EventDocument, NoteDocument
from escalator.inventory.inventory_file import InventoryDocument
from escalator.inventory.settings_document import SettingsDocument
from escalator.vim_interface.registry.vnf_document import VnfDocument
from escalator.vim_interface.registry.vnfm_document import VnfmsDocument

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
_MODELS: dict[str, type[DocumentModel]] = {
    "bundle": BundleDocument,
    "event": EventDocument,
    "inventory": InventoryDocument,
    "inventory-settings": SettingsDocument,
    "note": NoteDocument,
    "request": CampaignDocument,
    "vnf": VnfDocument,
    "vnfms": VnfmsDocument,
    "windows": WindowsDocument,
}


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the titles that only repeat a key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's many forms
        """Set none."""
        return False

    def get_title_from_name(self, name: str) -> str:
        """Name a key as it is written."""
        return name


def make_schema_texts() -> dict[str, str]:
    """Return the schemas as they are shipped: name of the file -> its text."""
    return {f"{name}.schema.json": _text(model) for name, model in _MODELS.items()}


def write_schemas(folder: Path = FOLDER) -> None:
    """Write every schema; a second run gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in make_schema_texts().items():
        (folder / name).write_text(text, encoding="utf-8")


def _text(model: type[DocumentModel]) -> str:
    schema = model.model_json_schema(schema_generator=_WithoutTitles)
    return json.dumps({"$schema": GenerateJsonSchema.schema_dialect, **schema}, indent=2) + "\n"


if __name__ == "__main__":
    write_schemas()
