"""What a number was made with."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def versions() -> dict[str, str]:
    """Versions of lotto, of Python and of the packages that compute; found without importing them."""
    found = {"python": platform.python_version()}
    for package in ("lotto", "torch", "torchvision", "lightning", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
