"""Writes ``docs/reference``, made from the code: ``make reference``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "reference"
LINE = "<!-- Made from the code by `make reference`: what is written here is lost. -->\n\n"


def make_pages() -> dict[str, str]:
    """Return the pages: name of the file -> its text. Airflow is imported for it, and needs a home."""
    from docs.tools.reference.commands import make_commands  # noqa: PLC0415
    from docs.tools.reference.formats import make_formats  # noqa: PLC0415
    from docs.tools.reference.parameters import make_parameters  # noqa: PLC0415
    from docs.tools.reference.rest import make_rest  # noqa: PLC0415
    from docs.tools.reference.settings import make_settings  # noqa: PLC0415

    makers = {
        "parameters.md": make_parameters,
        "commands.md": make_commands,
        "settings.md": make_settings,
        "formats.md": make_formats,
        "rest.md": make_rest,
    }
    return {name: f"{LINE}{make().rstrip()}\n" for name, make in makers.items()}


def write_pages(folder: Path = FOLDER) -> None:
    """Write every page; a second run gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in make_pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "ESCALATOR_INVENTORY_DIR": home,
        }
        write_pages()
