"""``lotto report LOGGER``: what the store holds of finished or killed runs, mirrored later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lotto.compose import CONF, composed, read_spec
from lotto.errors import BadRequest
from lotto.mirrors.mirror import Files
from lotto.mirrors.opening import open_mirrors
from lotto.plan import Plan
from lotto.store import Store

if TYPE_CHECKING:
    from omegaconf import DictConfig


def loggers() -> tuple[str, ...]:
    """The names that ``logger=`` knows."""
    return tuple(sorted(path.stem for path in (CONF / "logger").glob("*.yaml")))


def mirror_run(logger: str, folder: Path, config: DictConfig, overrides: Sequence[str], stream: IO[str]) -> int:
    """Mirror by ``logger`` the run of ``config`` in ``folder``; a line that is mirrored already is left as it is.

    Returns:
        The exit status: 1 if the mirror failed.
    """

    def note(words: str) -> None:
        print(words, file=stream, flush=True)

    spec = read_spec(config)
    settings = logger_settings(logger, config, overrides)
    mirrors = open_mirrors({logger: settings}, spec, Plan.of(spec), Store(spec.store), folder, note)
    figures, tickets = (tuple(sorted((folder / name).glob("[!.]*"))) for name in ("figures", "tickets"))
    mirrors.finish(Files(figures, tickets))
    return int(bool(mirrors.failed))


def check_overrides(logger: str, overrides: Sequence[str]) -> None:
    """Raises BadRequest if one is no setting of the logger's."""
    for override in overrides:
        if not override.startswith(f"logger.{logger}."):
            raise BadRequest(
                f"lotto report {logger} does not take {override}: only folders of runs and logger.{logger}.SETTING=VALUE."
            )


def logger_settings(logger: str, config: DictConfig, overrides: Sequence[str]) -> Mapping[str, Any]:
    """The settings of ``logger`` for a run of ``config``: asked for now, else as the run had them, else the defaults."""
    start = f"logger.{logger}."
    asked = {override.removeprefix(start).partition("=")[0] for override in overrides}
    now = _section(composed([f"logger=[{logger}]", *overrides]), logger)
    then = _section(config, logger)
    return {**now, **{name: value for name, value in then.items() if name in now and name not in asked}}


def _section(config: DictConfig, logger: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    found = OmegaConf.select(config, f"logger.{logger}")
    return {} if found is None else dict(OmegaConf.to_container(found, resolve=True))  # type: ignore[arg-type]
