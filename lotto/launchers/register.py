"""lotto's own launchers, made known to Hydra."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def register_launchers() -> None:
    """Have Hydra find lotto's launchers; a second call does nothing.

    Hydra takes launchers from modules below the namespace package ``hydra_plugins`` alone. A folder of that name at the top of a wheel
    would be shared with every other plugin, so lotto's lies in a folder of its own that is put on the path.
    """
    from hydra.core.plugins import Plugins

    folder = str(Path(__file__).parent / "plugins")
    if folder not in sys.path:
        sys.path.append(folder)
    launchers = import_module("hydra_plugins.lotto_launchers")
    # Hydra looks for plugins once in a process, which may have been before.
    for launcher in launchers.LAUNCHERS:
        Plugins.instance().register(launcher)
