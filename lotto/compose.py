"""Hydra composes, and what it refuses becomes one sentence; the composed configuration becomes a Spec. Imports no torch."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lotto.data.facts import facts
from lotto.errors import BadRequest
from lotto.fields import flag, list_of, near, nothing_left, section
from lotto.pruning.allocate import Rule
from lotto.pruning.scoring import Scoring
from lotto.request.control import ControlSpec
from lotto.request.hardware import HardwareSpec
from lotto.request.probe import ProbeSpec
from lotto.request.rewind import RewindSpec
from lotto.request.train import TrainSpec
from lotto.schedule import Schedule
from lotto.spec import Spec
from lotto.stage import canonical
from lotto.starts.source import Source
from lotto.structures.request import Structure
from lotto.writable import check_writable

_PACKAGE = Path(__file__).resolve().parent
# In a checkout conf/ lies beside the package, in an installed wheel inside it.
CONF = next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (path / "config.yaml").is_file())

# Options that other packages bring along.
_EXTRAS = {
    "hydra/launcher=joblib": "joblib",
    "hydra/launcher=submitit_local": "slurm",
    "hydra/launcher=submitit_slurm": "slurm",
}

# What does not tell one run's folder from another's: where it runs, where it writes and who is told.
_NOT_THE_RUN = ("hydra", "store", "hardware", "name", "logger", "waypoints")


_REQUIRED = (
    "name", "seed", "replicates", "data", "model", "train", "method", "prune", "schedule", "rewind", "hardware", "store", "engine",
)  # fmt: skip
_OPTIONAL = {"controls", "probes", "experiment", "logger", "start", "waypoints", "worker"}


def run_id(config: Mapping[str, Any]) -> str:
    """Eight digits that tell this configuration from others of its name: the same request writes into the same folder."""
    request = {name: value for name, value in config.items() if name not in _NOT_THE_RUN}
    precision = str((config.get("hardware") or {}).get("precision", "32"))
    if precision != "32":  # of all the hardware's settings the one that changes numbers
        request["precision"] = precision
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
    try:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3", job_name="lotto"):
            return compose("config", [*search, *overrides], return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as reason:
        # Answered outside of Hydra's context: what is near a misspelt name is composed anew.
        raise BadRequest(_sentence(reason, overrides, config_dir)) from None


def read_spec(config: DictConfig) -> Spec:
    """Check a composed configuration.

    Raises:
        BadRequest: a field is missing, unknown, out of its range or contradicts another.
    """
    try:
        plain = _plain(config)
    except OmegaConfBaseException as reason:
        raise BadRequest(f"{reason.full_key} cannot be resolved: {str(reason).splitlines()[0]}.") from None
    for name in _REQUIRED:
        if name not in plain:
            raise BadRequest(f"{name} is missing: give {name}=….")
    for path in _missing(plain):
        raise BadRequest(f"{path} is missing: give {path}=….")
    data = facts(section("data", plain["data"], ()))
    train = TrainSpec.read(plain["train"], data)
    prune = section("prune", plain["prune"], ("name", "criterion", "allocation", "rate", "exclude"))
    method = section("method", plain["method"], ("name", "_target_", "iterative"))
    spec = Spec(
        name=_text("name", plain["name"]),
        seed=_integer("seed", plain["seed"]),
        replicates=_integer("replicates", plain["replicates"]),
        data=data,
        data_config=plain["data"],
        model=section("model", plain["model"], ("_target_",)),
        train=train,
        method_name=_text("method.name", method.pop("name")),
        method=imported("method._target_", method.pop("_target_")),
        iterative=_iterative(method.pop("iterative")),
        method_options=dict(method),
        criterion_name=_text("prune.name", prune.pop("name")),
        criterion=section("prune.criterion", prune.pop("criterion"), ("_target_",)),
        structure=Structure.read(
            prune.pop("structure", "weight"),
            {name: prune.pop(name, None) for name in ("pool", "n", "m", "tile", "protect")},
        ),
        rule=_rule(prune.pop("allocation"), prune.pop("rate"), prune.pop("exclude")),
        scoring=Scoring.taken_from(prune, data),
        schedule=_schedule(plain["schedule"]),
        rewind=RewindSpec.read(plain["rewind"], train),
        controls=tuple(
            ControlSpec.read(name, control)
            for name, control in section("controls", plain.get("controls") or {}, ()).items()
            # An experiment may set something of a control that the request then leaves out.
            if not (isinstance(control, Mapping) and "_target_" not in control)
        ),
        probes=tuple(
            ProbeSpec.read(name, probe, train)
            for name, probe in section("probes", plain.get("probes") or {}, ()).items()
            if not (isinstance(probe, Mapping) and "_target_" not in probe)
        ),
        hardware=HardwareSpec.read(plain["hardware"]),
        store=_text("store", plain["store"]),
        engine=plain["engine"],
        start=_start(plain.get("start")),
        waypoints=_waypoints(plain),
        loggers=_loggers(plain.get("logger") or {}),
        request={name: value for name, value in plain.items() if name not in ("logger", "waypoints")},
    )
    nothing_left("prune", prune)
    _check_method(spec)
    for name in plain.keys() - {*_REQUIRED, *_OPTIONAL}:
        raise BadRequest(f"{name}={plain[name]} is no setting of lotto{near(name, _REQUIRED) or '.'}")
    return spec


def _iterative(value: object) -> bool | None:
    """None for a method whose levels do not follow from pruning rates."""
    return None if value is None else flag("method.iterative", value)


def _check_method(spec: Spec) -> None:
    """An option that the method does not take, or that it lacks: found before anything is planned."""
    try:
        inspect.signature(spec.method).bind(None, **spec.method_options)
    except TypeError as reason:
        raise BadRequest(f"method={spec.method_name} cannot be set up: {reason}.") from None


def check_run_folder(config: DictConfig, mode: str) -> None:
    """Raises BadRequest, before Hydra writes its own notes there, if the folder of the ``run`` or ``sweep`` cannot be written to."""
    try:
        folder = Path(config.hydra[mode].dir)
    except OmegaConfBaseException:
        return  # made of values that Hydra knows only once it runs
    check_writable(f"hydra.{mode}.dir", folder)


def _plain(config: Any) -> dict[str, Any]:
    """The configuration as plain dictionaries and lists, resolved but for Hydra's own section."""
    own = {name: config._get_node(name) for name in config if name != "hydra"}
    return {
        name: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else config[name]
        for name, node in own.items()
    }


def _loggers(config: object) -> dict[str, Any]:
    """The ``logger`` section, whose settings the loggers check where they are defined."""
    loggers = section("logger", config, ())
    if loggers:
        from lotto.mirrors.opening import make

        make(loggers, Path())
    return loggers


def _waypoints(plain: Mapping[str, Any]) -> Mapping[str, Sequence[int]]:
    """What a multirun noted for its jobs."""
    if "waypoints" not in plain:
        return {}
    from lotto.waypoints import read_waypoints

    return read_waypoints(plain["store"], plain["waypoints"])


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


def _start(config: Any) -> Source | None:
    if config is None:
        return None
    made = _made("start", section("start", config, ("_target_",)))
    if not isinstance(made, Source):
        raise BadRequest(
            f"start={config} is no starting point: choose one of lotto list start, or null for a random draw."
        )
    return made


def _schedule(config: Any) -> Schedule:
    made = _made("schedule", config)
    if not isinstance(made, Schedule):
        raise BadRequest(f"schedule={config} is no schedule: choose one of lotto list schedule.")
    return made


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(f"{name}={value} is not a whole number.")
    return value


def _float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text(name: str, value: object) -> str:
    if value is None or isinstance(value, Mapping | list) or not str(value):
        raise BadRequest(f"{name}={value} is not a name.")
    return str(value)


def _rule(allocation: object, rate: object, exclude: object) -> Rule:
    names = [] if exclude is None else list_of("prune.exclude", exclude)
    return Rule(
        str(allocation), dict(rate) if isinstance(rate, Mapping) else _float(rate), tuple(str(name) for name in names)
    )


def imported(field: str, path: object) -> Callable[..., Any]:
    """The function that a ``_target_`` names; ``field`` is named in the sentence that refuses it."""
    module, _, name = str(path).rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as reason:
        raise BadRequest(f"{field}={path} is no function that can be imported: {reason}.") from None
    if not callable(found):
        raise BadRequest(f"{field}={path} is no function.")
    return found


def _options(group: str, config_dir: str | None) -> list[str]:
    """What a group of the configuration offers, with the folders inside it."""
    roots = [CONF, *([Path(config_dir)] if config_dir else [])]
    found = {
        path.relative_to(root / group).with_suffix("").as_posix()
        for root in roots
        for path in (root / group).rglob("*.yaml")
    }
    return sorted(option for option in found if not option.rpartition("/")[2].startswith("_"))


def _sentence(reason: Exception, overrides: Sequence[str], config_dir: str | None) -> str:
    """What Hydra says, in one sentence that names the override and what is near it."""
    text = str(reason)
    if isinstance(reason, MissingConfigException) and reason.missing_cfg_file:
        group, _, name = str(reason.missing_cfg_file).rpartition("/")
        if extra := _EXTRAS.get(f"{group}={name}"):
            return f"{group}={name} needs an extra that is not installed: pip install 'lotto[{extra}]'."
        if group.startswith("experiment/"):
            group, name = "experiment", f"{group.removeprefix('experiment/')}/{name}"
        options = [option for option in reason.options or () if not option.startswith("_")] or _options(
            group, config_dir
        )
        return f"{group}={name} is unknown{near(name, options) or '.'} There are {', '.join(options) or 'no options'}."
    if found := re.search(r"Could not override '([^']+)'", text):
        path = found[1].split("@")[0]
        settings = tuple(_settings(overrides))
        return f"{path} is no setting of lotto{near(path, settings) or '; lotto list shows what can be composed.'}"
    if found := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{found[1]} gives several values: put -m in front to run them all, or write a list as [a,b]."
    if isinstance(reason, OverrideParseException):
        return f"'{reason.override}' cannot be read as an override: write name=value, lists as [a,b]."
    if text.startswith("Config group override must be a string or a list"):
        return "A group is given an option, or a list of them, and none is []: write model=lenet or controls=[]."
    cause = (
        str(reason.__cause__ or reason).splitlines()[0]
        if isinstance(reason, ConfigCompositionException)
        else text.splitlines()[0]
    )
    return f"The configuration cannot be composed: {cause}"


def _settings(overrides: Sequence[str]) -> Iterator[str]:
    """Every group and every setting, dotted, of the configuration with the options that ``overrides`` choose in lotto's groups."""
    chosen = [
        override for override in overrides if (CONF / override.replace("=", "/", 1)).with_suffix(".yaml").is_file()
    ]

    def dotted(value: Any, path: str) -> Iterator[str]:
        yield path
        if isinstance(value, Mapping):
            for name, inner in value.items():
                yield from dotted(inner, f"{path}.{name}")

    with initialize_config_dir(config_dir=str(CONF), version_base="1.3", job_name="lotto"):
        for name, value in _plain(compose("config", chosen)).items():
            yield from dotted(value, name)
    yield "experiment"
