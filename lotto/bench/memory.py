"""The most memory that a training took."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import torch


class PeakMemory:
    """Watches from ``reset`` on: the resident memory of this process or, where training runs on a GPU, what PyTorch holds there."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._known = False

    def reset(self) -> None:
        """Let go of what those before have left, and forget their peak."""
        gc.collect()
        if self._on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._known = True
        else:
            _return_freed_memory()
            self._known = _forget_resident_peak()

    def peak(self) -> int | None:
        """Bytes, or None where the system does not tell."""
        if not self._known:
            return None
        return torch.cuda.max_memory_allocated() if self._on_gpu else _resident_peak()


def _return_freed_memory() -> None:
    """What is freed is kept by glibc, as training asks it to, and would count against those who come after."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _forget_resident_peak() -> bool:
    """Whether Linux could be told to count anew (proc(5), clear_refs)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _resident_peak() -> int | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
