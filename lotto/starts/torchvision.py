"""torchvision's own pre-trained weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lotto.errors import BadRequest
from lotto.fields import flag
from lotto.models.checks import near
from lotto.starts.source import Contents, Source

# The classifiers beside the Inception networks' own, which lotto builds them without.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


@dataclass(frozen=True, kw_only=True)
class Torchvision(Source):
    """The weights ``weights`` of torchvision's classifier ``model``, loaded as torchvision loads them.

    The file is looked for where torchvision keeps it (``torch.hub``'s folder, ``TORCH_HOME``). It is fetched only if ``download`` is true.

    Args:
        model: torchvision's name, such as ``resnet18``.
        weights: such as ``IMAGENET1K_V1``, or ``DEFAULT``, the best that this torchvision knows.
    """

    model: str
    weights: str = "DEFAULT"
    download: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("start.download", self.download)

    @property
    def words(self) -> str:
        return f"start.weights={self.weights} of {self.model}"

    @cached_property
    def files(self) -> tuple[Path, ...]:
        from torch import hub

        path = Path(hub.get_dir()) / "checkpoints" / Path(self._chosen.url).name
        if not path.is_file():
            if not self.download:
                raise BadRequest(
                    f"{self.words} is not at {path}: put the file there, or "
                    f"start.download=true fetches it from {self._chosen.url}."
                )
            try:
                self._chosen.get_state_dict(progress=False, check_hash=True)
            except (OSError, RuntimeError) as reason:
                raise BadRequest(f"{self.words} cannot be fetched from {self._chosen.url}: {reason}.") from None
        return (path,)

    def contents(self) -> Contents:
        from torchvision import models

        try:
            # Built by torchvision, which knows the older names in some of its files and what is left out of others.
            model = models.get_model(self.model, weights=self._chosen)
        except (RuntimeError, ValueError) as reason:
            raise BadRequest(f"{self.words} cannot be loaded: {str(reason).splitlines()[0]}") from None
        state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
        return Contents({name: tensor for name, tensor in state.items() if not name.startswith(_AUXILIARY)})

    @cached_property
    def _chosen(self) -> Any:
        from torchvision import models

        names = models.list_models(module=models)
        if self.model not in names:
            raise BadRequest(f"start.model={self.model} is not a torchvision classifier{near(self.model, names)}")
        known = models.get_model_weights(self.model).__members__
        if self.weights not in known:
            raise BadRequest(
                f"start.weights={self.weights} is unknown of {self.model}: choose from {', '.join(known)}."
            )
        return known[self.weights]
