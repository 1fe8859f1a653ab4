"""Files of weights: what is read of them is what was written, and what does not fit is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lotto.errors import BadRequest, StageFailed
from lotto.mask import Mask
from lotto.starts.checkpoint import Checkpoint
from lotto.starts.fitting import fitted
from lotto.starts.source import Contents
from tests.openlth.openlth_samples import lenet, write_run
from tests.starts.start_samples import WRITERS, network, state, wrapped, write_ticket


def fit(source: Checkpoint, model: nn.Module | None = None) -> dict[str, Tensor]:
    return fitted(source.read(), network(99) if model is None else model, source.head, source.words).weights


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_is_read_whatever_the_file_is_called(kind: str, tmp_path: Path) -> None:
    path, tensors = tmp_path / "weights", state(network())
    options = WRITERS[kind](path, tensors)
    assert_equal(fit(Checkpoint(path=str(path), **options)), tensors)  # type: ignore[arg-type]


def test_a_ticket_brings_its_mask_unless_it_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "ticket.bin"
    ticket = write_ticket(path)
    kept, dropped = Checkpoint(path=str(path)), Checkpoint(path=str(path), mask="drop")
    assert (kept.masked, dropped.masked) == (True, False)
    assert kept.contents().mask == ticket.mask
    assert dropped.contents().mask is None
    assert_equal(fit(kept), ticket.weights)
    assert kept.identity != dropped.identity


def test_a_folder_of_openlth_gives_any_of_its_levels(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "lottery_a" / "replicate_1", lenet(), levels=2)
    saved = {
        point: torch.load(folder / "level_2" / "main" / f"model_{name}.pth", weights_only=True)
        for point, name in (("start", "ep0_it0"), ("end", "ep40_it0"))
    }
    for point, expected in saved.items():
        source = Checkpoint(path=str(folder), level=2, point=point)
        assert source.masked
        assert_equal(fit(source, lenet()), expected)
    assert not Checkpoint(path=str(folder)).masked
    mask = torch.load(folder / "level_2" / "main" / "mask.pth", weights_only=True)
    read = Checkpoint(path=str(folder), level=2).contents().mask
    assert read is not None
    assert all(torch.equal(read[name], kept.bool()) for name, kept in mask.items())
    hashes = {Checkpoint(path=str(folder), level=level, point=point).sha256 for level in (0, 1, 2) for point in saved}
    assert len(hashes) == 6
    with pytest.raises(BadRequest, match=r"has no level 9: its levels are 0, 1, 2"):
        assert Checkpoint(path=str(folder), level=9).sha256


def test_the_identity_is_the_content_and_never_the_place(tmp_path: Path) -> None:
    tensors = state(network())
    (tmp_path / "elsewhere").mkdir()
    first, second = tmp_path / "a.safetensors", tmp_path / "elsewhere" / "b.bin"
    for path in (first, second):
        save_file(tensors, path)
    one, other = Checkpoint(path=str(first)), Checkpoint(path=str(second))
    assert one.sha256 == hashlib.sha256(first.read_bytes()).hexdigest()
    assert (
        one.identity
        == other.identity
        == {
            "_target_": "lotto.starts.checkpoint.Checkpoint",
            "sha256": one.sha256,
        }
    )
    save_file({**tensors, "fc.bias": tensors["fc.bias"] + 1}, second)
    assert Checkpoint(path=str(second)).identity != one.identity
    with pytest.raises(StageFailed, match="has changed since the experiment was planned"):
        other.read()


def test_a_fresh_classifier_leaves_the_files_own_out(tmp_path: Path) -> None:
    path = tmp_path / "w"
    save_file(state(network(classes=10)), path)
    few = network(5, classes=3)
    with pytest.raises(BadRequest, match=r"fc\.weight of shape \[10, 16\].* is \[3, 16\]: start\.head=fresh draws"):
        fit(Checkpoint(path=str(path)), few)
    taken = fit(Checkpoint(path=str(path), head="fresh"), few)
    assert state(few).keys() - taken.keys() == {"fc.weight", "fc.bias"}
    headless = {name: tensor for name, tensor in state(network()).items() if not name.startswith("fc.")}
    save_file(headless, path)
    assert fit(Checkpoint(path=str(path), head="fresh"), few).keys() == headless.keys()


def missing(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    del tensors["blocks.1.bn2.running_var"]
    return tensors


def left_over(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"blocks.0.conv3.weight": torch.ones(2)}


def misshapen(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"blocks.0.conv1.weight": torch.ones(4, 4, 1, 1)}


def whole_numbers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"fc.bias": torch.ones(10, dtype=torch.int64)}


def not_finite(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"fc.bias": torch.full((10,), torch.nan)}


def in_a_wrapper(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return wrapped(tensors)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (missing, r"has no tensor blocks\.1\.bn2\.running_var of shape \[8\], which the CifarResNet needs"),
        (left_over, r"holds blocks\.0\.conv3\.weight, which is no tensor of the CifarResNet \(the nearest is blocks"),
        (misshapen, r"blocks\.0\.conv1\.weight of shape \[4, 4, 1, 1\], and the CifarResNet's is \[4, 4, 3, 3\]"),
        (whole_numbers, r"has fc\.bias as torch\.int64"),
        (not_finite, r"has values in fc\.bias that are not finite"),
        (in_a_wrapper, r"give start\.prefix=module\."),
    ],
)
def test_what_does_not_fit_is_one_sentence_that_names_the_tensor(change: object, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "w"
    save_file(change(state(network())), path)  # type: ignore[operator]
    with pytest.raises(BadRequest, match=sentence) as refusal:
        fit(Checkpoint(path=str(path)))
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_mask_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    whole = write_ticket(tmp_path / "ticket")
    part = Mask({name: kept for name, kept in whole.mask.items() if name != "fc.weight"})
    with pytest.raises(BadRequest, match=r"w has a mask of another network: for fc\.weight, \[10, 16\]"):
        fitted(Contents(whole.weights, part), network(), "keep", "w")
    mask = fitted(Contents(whole.weights, part), network(classes=3), "fresh", "w").mask
    assert mask is not None and bool(mask["fc.weight"].all()) and mask["fc.weight"].shape == (3, 16)


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run by the file",)


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ({"model": {"a": torch.ones(1)}, "n": 1}, {}, r"no state dict, tensors by name: give start\.entry=model"),
        (
            {"model": {"a": torch.ones(1)}},
            {"entry": "state"},
            r"start\.entry=state is nothing that .* holds: it holds model",
        ),
        ([torch.ones(1)], {}, "no state dict"),
        ({"a": Code()}, {}, "damaged, or holds more than tensors"),
        (None, {}, "damaged, or holds more than tensors"),
        ("absent", {}, "cannot be read"),
    ],
)
def test_files_that_hold_something_else(
    content: object, options: dict[str, str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w"
    if content is None:
        path.write_bytes(b"nothing of the kind")
    elif content != "absent":
        torch.save(content, path)
    with pytest.raises(BadRequest, match=sentence):
        Checkpoint(path=str(path), **options).read()
    assert "run by the file" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"head": "new"}, r"start\.head=new is unknown"),
        ({"mask": "no"}, r"start\.mask=no is unknown"),
        ({"level": 2}, r"start\.level=2 is about folders of OpenLTH"),
        ({"point": "end"}, r"start\.point=end is about folders of OpenLTH"),
        ({"level": -1}, r"start\.level=-1 is not a whole number"),
    ],
)
def test_options_that_say_nothing_are_refused(options: dict[str, object], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=sentence):
        Checkpoint(path=str(tmp_path / "w"), **options)  # type: ignore[arg-type]
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(BadRequest, match=r"start\.prefix=a\. is about files"):
        Checkpoint(path=str(folder), prefix="a.")
