"""Loading PyTorch and Lightning: nearly all of the time between a command and its first training step."""

from __future__ import annotations

import atexit
import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import DistributionFinder, PackageNotFoundError
from typing import Any


def load() -> None:
    """Import what trains, without what that would load in vain."""
    with collector_paused():
        import torchvision  # noqa: F401 - torchmetrics would import it, and it alone is to miss SciPy

        _import_torchmetrics()
        import lightning  # noqa: F401


@contextmanager
def collector_paused() -> Iterator[None]:
    """For imports: what they make is much and stays, and the collector would look through it time and again.

    It never does if PyTorch is loaded here and not before: then there is nothing yet of a caller's whose memory would matter.
    """
    enabled, loaded = gc.isenabled(), "torch" in sys.modules
    gc.disable()
    try:
        yield
    finally:
        if not loaded:
            gc.freeze()
            atexit.register(gc.unfreeze)  # Triton's bindings complain at the end of what is still there
        if enabled:
            gc.enable()


def _import_torchmetrics() -> None:
    """Import torchmetrics, which Lightning needs, as if SciPy were not installed.

    Where it is, torchmetrics loads ``scipy.signal``, a second's work, to give it back a name of old (``hamming``). What it computes
    with SciPy it imports where it does, and finds it there.
    """
    # Another thread might want SciPy just now.
    if {"scipy", "torchmetrics"} & sys.modules.keys() or threading.active_count() > 1:
        return
    from lightning_utilities.core.imports import module_available, package_available

    finder = _NotInstalled("scipy")
    sys.meta_path.insert(0, finder)
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        pass  # one that cannot do without; Lightning imports it as it is
    finally:
        sys.meta_path.remove(finder)
        # torchmetrics asks these what is installed, and they remember their answers.
        package_available.cache_clear()
        module_available.cache_clear()


class _NotInstalled(DistributionFinder):
    """First among the finders, it hides a package from imports and from ``importlib.metadata``."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> None:
        if fullname.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterator[Any]:
        if context is not None and context.name == self._package:
            raise PackageNotFoundError(self._package)
        return iter(())
