"""Start nova-compute with the lab's hypervisor: ``nova_compute.py --config-file ...``.

Nova loads drivers from ``nova.virt`` only; this makes the folder of this file ``nova.virt.lab``.
No file of Nova's is changed.
"""

# mypy: disable-error-code="import-not-found"

import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

from nova.cmd import compute  # first of all: it decides how Nova's threads work

HERE = Path(__file__).resolve().parent


def register() -> None:
    """Make this folder the package ``nova.virt.lab``.

    :raises ImportError: when the folder is not a package.
    """
    name = "nova.virt.lab"
    spec = importlib.util.spec_from_file_location(
        name, HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{HERE} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def main() -> None:
    """Refuse to start where that was ordered; else run nova-compute."""
    register()
    from nova.virt.lab.driver import FOLDER_VARIABLE  # noqa: PLC0415  (importable from here on)
    from nova.virt.lab.faults import NodeFaults  # noqa: PLC0415

    folder = Path(os.environ[FOLDER_VARIABLE]) / os.uname().nodename
    release = importlib.metadata.version("nova")
    if NodeFaults(folder=folder).refuses_start(release):
        sys.exit(f"a fault of the lab: nova-compute {release} refuses to start here")
    sys.argv[0] = "nova-compute"
    sys.exit(compute.main())


if __name__ == "__main__":
    main()
