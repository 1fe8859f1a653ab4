"""Hydra composes, and what it refuses becomes one sentence; the composed configuration becomes a Spec. Imports no torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException, MissingConfigException
from hydra.utils import get_method, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lotto.data.facts import facts
from lotto.errors import BadRequest
from lotto.prune.allocate import Rule
from lotto.spec import ControlSpec, HardwareSpec, RewindSpec, Spec, TrainSpec, near
from lotto.stage import canonical

_PACKAGE = Path(__file__).resolve().parent
# In a checkout conf/ lies beside the package, in an installed wheel inside it.
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (path / "config.yaml").is_file())

# What does not tell one run's folder from another's: where it runs and where it writes.
_NOT_THE_RUN = ("hydra", "store", "hardware", "name")


def run_id(config: Mapping[str, Any]) -> str:
    """Eight digits that tell this configuration from others of its name: the same request writes into the same folder."""
    request = {name: value for name, value in config.items() if name not in _NOT_THE_RUN}
    return hashlib.sha256(canonical(request).encode()).hexdigest()[:8]


def register_resolvers() -> None:
    """Make ``${lotto.run_id:}`` known to OmegaConf; a second call does nothing."""
    if not OmegaConf.has_resolver("lotto.run_id"):
        OmegaConf.register_new_resolver("lotto.run_id", lambda *, _root_: run_id(_plain(_root_)))


def composed(overrides: Sequence[str], config_dir: str | None = None) -> DictConfig:
    """The configuration that ``overrides`` describe, Hydra's own section included.

    Raises:
        BadRequest: an override names nothing, or cannot be read.
    """
    register_resolvers()
    GlobalHydra.instance().clear()
    search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3", job_name="lotto"):
        try:
            return compose("config", [*search, *overrides], return_hydra_config=True)
        except (HydraException, OmegaConfBaseException) as reason:
            raise BadRequest(_sentence(reason, overrides)) from None


def read_spec(config: DictConfig) -> Spec:
    """Check a composed configuration.

    Raises:
        BadRequest: a field is missing, unknown, out of its range or contradicts another.
    """
    plain = _plain(config)
    plain.pop("hydra", None)
    for path in _missing(plain):
        raise BadRequest(f"{path} is missing: give {path}=….")
    data = facts(plain["data"])
    train = TrainSpec.read(plain["train"], data)
    prune, method = plain["prune"], plain["method"]
    rate = prune["rate"]
    spec = Spec(
        name=str(plain["name"]),
        seed=_integer("seed", plain["seed"]),
        replicates=_integer("replicates", plain["replicates"]),
        data=data,
        data_config=plain["data"],
        model=plain["model"],
        train=train,
        method_name=method["name"],
        method=get_method(method["_target_"]),
        iterative=method["iterative"],
        criterion_name=prune["name"],
        criterion=prune["criterion"],
        rule=Rule(
            prune["allocation"],
            dict(rate) if isinstance(rate, Mapping) else _float(rate),
            tuple(prune["exclude"] or ()),
        ),
        schedule=_made("schedule", plain["schedule"]),
        rewind=RewindSpec.read(plain["rewind"], train),
        controls=tuple(ControlSpec.read(name, control) for name, control in (plain.get("controls") or {}).items()),
        hardware=HardwareSpec.read(plain["hardware"]),
        store=str(plain["store"]),
        engine=plain["engine"],
    )
    known = {
        "name",
        "seed",
        "replicates",
        "data",
        "model",
        "train",
        "method",
        "prune",
        "schedule",
        "rewind",
        "controls",
        "hardware",
    }
    for name in plain.keys() - known - {"store", "engine", "experiment"}:
        raise BadRequest(f"{name}={plain[name]} is no setting of lotto{near(name, tuple(known)) or '.'}")
    return spec


def _plain(config: Any) -> dict[str, Any]:
    """The configuration as plain dictionaries and lists, resolved but for Hydra's own section."""
    own = {name: config._get_node(name) for name in config if name != "hydra"}
    return {
        name: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else config[name]
        for name, node in own.items()
    }


def _missing(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _missing(inner, f"{path}.{name}" if path else str(name))
    elif value == "???":
        yield path


def _made(section: str, config: Mapping[str, Any]) -> Any:
    try:
        return instantiate(config, _convert_="all")
    except InstantiationException as reason:
        cause = reason.__cause__
        if isinstance(cause, BadRequest):
            raise cause from None
        raise BadRequest(f"{section} cannot be made: {cause or str(reason).splitlines()[0]}") from None


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(f"{name}={value} is not a whole number.")
    return value


def _float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _sentence(reason: Exception, overrides: Sequence[str]) -> str:
    """What Hydra says, in one sentence that names the override and what is near it."""
    text = str(reason)
    if isinstance(reason, MissingConfigException) and reason.missing_cfg_file:
        group, _, name = str(reason.missing_cfg_file).rpartition("/")
        options = [option for option in reason.options or () if not option.startswith("_")]
        return f"{group}={name} is unknown{near(name, options) or '.'} There are {', '.join(options) or 'no options'}."
    if found := re.search(r"Could not override '([^']+)'", text):
        path = found[1].split("@")[0]
        return f"{path} is no setting of lotto{near(path, tuple(_settings())) or '; lotto list shows what can be composed.'}"
    if (
        "no viable alternative" in text
        or "mismatched input" in text
        or "extraneous input" in text
        or "token recognition" in text
    ):
        culprit = next((override for override in overrides if override in text), " ".join(overrides))
        return f"'{culprit}' cannot be read as an override: write name=value, lists as [a,b]."
    cause = (
        str(reason.__cause__ or reason).splitlines()[0]
        if isinstance(reason, ConfigCompositionException)
        else text.splitlines()[0]
    )
    return f"The configuration cannot be composed: {cause}"


def _settings() -> Iterator[str]:
    """Every group and every setting of the default configuration, dotted."""

    def dotted(value: Any, path: str) -> Iterator[str]:
        yield path
        if isinstance(value, Mapping):
            for name, inner in value.items():
                yield from dotted(inner, f"{path}.{name}")

    with initialize_config_dir(config_dir=str(CONF), version_base="1.3", job_name="lotto"):
        for name, value in _plain(compose("config")).items():
            yield from dotted(value, name)
    yield "experiment"
