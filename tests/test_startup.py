"""What a run loads before its first step, and that the short cuts of ``lotto.running.loading`` leave every package whole."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from lotto.running.loading import collector_paused


def _python(program: str) -> list[str]:
    """The lines that a process of its own prints; it must end well and without complaint."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_no_more_is_loaded_than_the_first_step_needs() -> None:
    said = _python(
        "import sys\n"
        "from lotto.compose import composed, read_spec\n"
        "from lotto.running.loading import load\n"
        "load()\n"
        "import lotto.running.runner\n"
        "from lotto.data.build import build\n"
        "build(read_spec(composed([])).data_config).load()\n"
        "print(*({'scipy', 'sklearn', 'pandas', 'lotto.report.tables'} & sys.modules.keys()))\n"
        "import gc\n"
        "print('lightning' in sys.modules, gc.isenabled(), gc.get_freeze_count() > 0)\n"
    )
    assert said == ["", "True True True"]


# Whatever of torchmetrics is public, and what it takes SciPy, torchvision and Matplotlib to do.
_PACKAGES = """
import sys, warnings
warnings.simplefilter("ignore")
import torch, torchmetrics, torchmetrics.audio, torchmetrics.detection, torchmetrics.image, torchmetrics.segmentation
from torchmetrics.functional.audio import permutation_invariant_training, scale_invariant_signal_distortion_ratio
from torchmetrics.functional.segmentation.utils import distance_transform

packages = [torchmetrics, torchmetrics.functional]
packages += [getattr(torchmetrics, name) for name in ("audio", "detection", "image", "segmentation")]
packages += [getattr(torchmetrics.functional, name) for name in ("audio", "detection", "image", "segmentation")]
print([sorted(package.__all__) for package in packages])

waves = torch.arange(2 * 3 * 8.0).sin().view(2, 3, 8)
print(permutation_invariant_training(waves, waves.flip(1), scale_invariant_signal_distortion_ratio)[1].tolist())
print(distance_transform(torch.ones(5, 5), engine="scipy").shape)
accuracy = torchmetrics.classification.BinaryAccuracy()
print(float(accuracy(torch.tensor([0, 1]), torch.tensor([0, 0]))), type(accuracy.plot()[0]).__name__)
print(torchmetrics.detection.IntersectionOverUnion().__class__.__name__)

import torchvision
print(torchvision.models.resnet18(num_classes=3).eval()(torch.zeros(1, 3, 32, 32)).shape)
print(torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]]), torch.tensor([0.5, 0.6]), 0.5).tolist())
print(torchvision.transforms.functional.resize(torch.zeros(1, 8, 8), [4, 4]).shape)

import importlib.metadata, importlib.util
import scipy.signal, scipy.stats, sklearn.datasets
from lightning_utilities.core.imports import RequirementCache, module_available, package_available
print(scipy.signal.windows.hamming(3).tolist(), sklearn.datasets.load_digits().data.shape)
print(package_available("scipy"), module_available("scipy.signal"), bool(RequirementCache("scipy")))
print(importlib.metadata.version("scipy"), importlib.util.find_spec("scipy").name)
print([type(finder).__name__ for finder in sys.meta_path if type(finder).__module__.startswith("lotto")])
"""


def test_every_package_is_whole_afterwards() -> None:
    """It does the same whether lotto has loaded it or the program itself."""
    hidden = "from lotto.running.loading import load\nload()\nimport sys\nassert 'scipy' not in sys.modules\n"
    assert _python(hidden + _PACKAGES) == _python("import lightning\n" + _PACKAGES)


def test_a_program_that_has_loaded_them_keeps_what_it_has() -> None:
    said = _python(
        "import sys, scipy, torchmetrics, lightning\n"
        "before = dict(sys.modules)\n"
        "from lotto.running.loading import load\n"
        "load()\n"
        "import gc\n"
        "print(all(sys.modules[name] is module for name, module in before.items()), gc.get_freeze_count() == 0)\n"
    )
    assert said == ["True True"]


def test_nothing_is_hidden_from_another_thread() -> None:
    said = _python(
        "import sys, threading\n"
        "done = threading.Event()\n"
        "threading.Thread(target=done.wait).start()\n"
        "from lotto.running.loading import load\n"
        "load()\n"
        "print('scipy' in sys.modules)\n"
        "done.set()\n"
    )
    assert said == ["True"]


def test_the_collector_goes_on_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), collector_paused():
        assert not gc.isenabled()
        _ = 1 / 0
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
