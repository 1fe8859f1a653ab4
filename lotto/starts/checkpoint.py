"""A user's own file: safetensors, a state dict of PyTorch's, a ticket of lotto's, or a folder of OpenLTH's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lotto.errors import BadRequest
from lotto.fields import choice, whole
from lotto.starts.source import Contents, Source

TICKET_ENTRY = "lotto"  # of a safetensors file's metadata, which lotto.tickets.file writes


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Source):
    """What the file is shows from its content, not from its name.

    Args:
        path: the file; or a folder ``lottery_<hash>/replicate_<number>`` of OpenLTH's.
        entry: of a state dict that lies among other things: the name that it has there, such as ``state_dict`` or ``model``.
        prefix: what the file's names have in front of the network's, such as ``module.``; names without it are left out.
        mask: of a ticket, or of a level above 0 of OpenLTH's: ``keep`` begins with that ticket, ``drop`` with its weights alone, of which
            the pruned ones are zero and may grow.
        level: of an OpenLTH folder.
        point: of that level, ``start`` (the rewinding point) or ``end`` (trained).
        field: of the request that names the file.
    """

    path: str
    entry: str | None = None
    prefix: str = ""
    mask: str = "keep"
    level: int = 0
    point: str = "start"
    field: str = "start.path"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("start.mask", self.mask, ("keep", "drop"))
        choice("start.point", self.point, ("start", "end"))
        whole("start.level", self.level, 0)
        of_files = {"entry": self.entry is not None, "prefix": self.prefix != ""}
        of_folders = {"level": self.level != 0, "point": self.point != "start"}
        for field, is_set in (of_files if self._is_folder else of_folders).items():
            if is_set:
                value = getattr(self, field)
                of = "files" if self._is_folder else "folders of OpenLTH"
                raise BadRequest(f"start.{field}={value} is about {of}, and start.path={self.path} is none.")

    @property
    def files(self) -> tuple[Path, ...]:
        if not self._is_folder:
            return (Path(self.path),)
        from lotto.openlth.load import Replicate

        return Replicate(self.path).files(self.level, self.point)

    @property
    def words(self) -> str:
        return f"{self.field}={self.path}"

    @property
    def masked(self) -> bool:
        return self.mask == "keep" and (self.level > 0 if self._is_folder else self._is_ticket)

    def contents(self) -> Contents:
        from lotto.starts.files import read_folder, read_safetensors, read_state_dict, read_ticket

        path = Path(self.path)
        if self._is_folder:
            found = read_folder(path, self.level, self.point)
        elif self._is_ticket:
            found = read_ticket(path)
        elif self._metadata is not None:
            found = Contents(read_safetensors(path))
        else:
            found = Contents(read_state_dict(path, self.entry))
        weights = {
            name.removeprefix(self.prefix): tensor
            for name, tensor in found.weights.items()
            if name.startswith(self.prefix)
        }
        return Contents(weights, found.mask, found.zeroed) if self.masked else Contents(weights)

    @cached_property
    def _is_folder(self) -> bool:
        return Path(self.path).is_dir()

    @property
    def _is_ticket(self) -> bool:
        return self._metadata is not None and TICKET_ENTRY in self._metadata

    @cached_property
    def _metadata(self) -> dict[str, str] | None:
        """Of a safetensors file; None of any other."""
        try:
            with Path(self.path).open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                head = file.read(length) if length <= Path(self.path).stat().st_size else b""
            entries = json.loads(head)
            return dict(entries.get("__metadata__") or {})
        except OSError as reason:
            raise BadRequest(f"{self.words} cannot be read ({reason.strerror or reason}).") from None
        except (AttributeError, ValueError, RecursionError):
            return None
