"""lotto's own launchers, made known to Hydra."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

_MODULE = "hydra_plugins.lotto_launchers"


def runs_commands(launcher: Mapping[str, Any]) -> bool:
    """Whether the ``hydra.launcher`` of a configuration is one of lotto's, which run every job as a single run of its own."""
    return str(launcher.get("_target_")).startswith(_MODULE)


def register_launchers() -> None:
    """Have Hydra find lotto's launchers; a second call does nothing.

    Hydra takes launchers from modules below the namespace package ``hydra_plugins`` alone. A folder of that name at the top of a wheel
    would be shared with every other plugin, so lotto's lies in a folder of its own that is put on the path.
    """
    from hydra.core.plugins import Plugins

    folder = str(Path(__file__).parent / "plugins")
    if folder not in sys.path:
        sys.path.append(folder)
    launchers = import_module(_MODULE)
    # Hydra looks for plugins once in a process, which may have been before.
    for launcher in launchers.LAUNCHERS:
        Plugins.instance().register(launcher)
