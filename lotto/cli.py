"""The command line: a verb, then Hydra overrides. A thin layer over the library."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lotto.errors import TERMINATED, BadRequest, LottoError, StageFailed
from lotto.running.devices import follows, refuse_in_sweep

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lotto.spec import Spec
    from lotto.store import Store

HELP = """\
lotto: find winning tickets, with the controls that show that they are.

  lotto [VERB] [Hydra overrides]

  run                  what the configuration describes; the verb may be left out, -m sweeps as in Hydra
  plan                 what run would do: stages, what is stored, training steps, and from a short calibration the time that they will
                       take here (--no-estimate leaves it out); runs nothing
  sweep [NAME]         runs sweeps/NAME.yaml as one plan: what points share is trained once (--plan says what, --workers=N shares it among
                       processes, through hydra/launcher=...); without a name lists the sweeps
  report [DIR...]      tables and figures of finished runs, from what is stored (default: every run under outputs/runs);
                       report csv|tensorboard|wandb [DIR...] mirrors them, report wandb --workspace builds the panels
  status               what runs at the store, where, since when and how far; what failed
  gc                   shows what no run refers to any more; --yes removes it
  ticket ...           export, inspect, verify, diff, import ticket files
  list [GROUP]         what can be composed
  bench                throughput beside a hand-written PyTorch loop, on made-up data (bench.models=[lenet] bench.rounds=7)

  lotto                                     the main job: iterative magnitude pruning on scikit-learn's digits
  lotto experiment=frankle2019/lenet data.root=DIR
  lotto replicates=3 schedule.levels=8 rewind.at=100it controls=[reinit,random]
  lotto -m method=imp,one_shot seed=0,1,2

  --config-dir DIR     adds your own configuration groups; --cfg job prints the composed configuration
  --hydra-help         Hydra's own flags; tab completion: eval "$(lotto -sc install=bash)"

Exit status: 0 done; 1 a stage failed, others went on; 2 the request is wrong, nothing was trained.
"""


def main() -> None:
    """Entry point of the ``lotto`` command."""
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        # Must be said before PyTorch is loaded: for how long a thread spins while it waits for another. Measured with 15 stacked LeNets on
        # two cores: 2,070 steps/s against 2,240 by default on an idle machine, 1,180 against 210 where another process wants one core.
        os.environ["GOMP_SPINCOUNT"] = "3000"
    # A user's own classes (model._target_=my_package.Net) are looked for where the command is given.
    sys.path.insert(0, str(Path.cwd()))
    arguments = sys.argv[1:]
    verb = arguments[0] if arguments and not _is_hydras(arguments[0]) else "run"
    rest = arguments[1:] if arguments and not _is_hydras(arguments[0]) else arguments
    if verb != "ticket" and _HELP.intersection(rest):
        verb = "help"
    follower = follows()
    try:
        status = VERBS[verb](rest) if verb in VERBS else _unknown(verb)
    except LottoError as reason:
        if not (follower and isinstance(reason, BadRequest)):  # the first process says the same
            print(f"lotto: {reason}", file=sys.stderr)
        status = reason.exit_status
    except KeyboardInterrupt:
        print("lotto: interrupted; what was finished is in the store, the same command goes on.", file=sys.stderr)
        status = 130
    except SystemExit as ended:
        if ended.code != TERMINATED:
            raise
        print("lotto: terminated; what was finished is in the store, the same command goes on.", file=sys.stderr)
        status = TERMINATED
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone: not an error of ours.
        _drop_output()
        status = 0 if verb not in ("run", "ticket") else 1
    except OSError as reason:
        print(f"lotto: {reason}; what was finished is in the store, the same command goes on.", file=sys.stderr)
        _drop_output()
        status = 1
    sys.exit(status)


def _drop_output() -> None:
    """What is still to be flushed has nowhere to go; Python would complain of it on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_hydras(argument: str) -> bool:
    return "=" in argument or argument.startswith(("-", "+", "~"))


def _unknown(verb: str) -> int:
    from lotto.spec import near

    allowed = tuple(verb for verb in VERBS if not verb.startswith("-"))
    raise BadRequest(
        f"{verb} is no verb of lotto: choose from {', '.join(allowed)}; overrides are written name=value{near(verb, allowed) or '.'}"
    )


def _help(arguments: Sequence[str]) -> int:
    print(HELP, end="")
    return 0


def run_verb(arguments: Sequence[str]) -> int:
    """``lotto run`` with these words, in this process; returns the exit status."""
    import hydra

    from lotto.compose import CONF, register_resolvers
    from lotto.launchers.driver import follow_driver
    from lotto.launchers.foreign import lost
    from lotto.launchers.job import Job
    from lotto.launchers.register import register_launchers
    from lotto.waypoints import keep_waypoints

    follow_driver()
    register_resolvers()
    register_launchers()
    overrides, config_dir, flags = _split(arguments)
    if follows():
        overrides.append("hydra.output_subdir=null")  # the first process keeps Hydra's notes
    if set(flags) <= _SWEEP:
        specs = _checked_points(overrides, config_dir, sweeps=bool(flags))
        if flags and (name := keep_waypoints(specs)):
            overrides.append(f"+waypoints={name}")
        # Hydra takes overrides before its flags or behind them, not both.
        arguments = [*flags, *(["--config-dir", config_dir] if config_dir else []), *overrides]
    sys.argv = [sys.argv[0], *arguments]
    _complete_without_verb()
    # Errors come to main, which answers them in a sentence.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    sweeps = bool(_SWEEP.intersection(flags))
    job = Job(run_job, sweeps)
    try:
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(job)()
    except Exception as reason:
        if sentence := lost(reason):
            raise sentence from None
        raise
    if job.failures and not sweeps:
        raise job.failures[0]
    return max((getattr(reason, "exit_status", 1) for reason in job.failures), default=0)


_SWEEP = {"-m", "--multirun"}


def _checked_points(overrides: list[str], config_dir: str | None, sweeps: bool) -> list[Spec]:
    """What Hydra would refuse in paragraphs is refused here in a sentence, before it makes a folder."""
    from lotto.compose import check_run_folder, composed, read_spec
    from lotto.launchers.register import runs_commands

    configs = [composed(point, config_dir) for point in (_points(overrides) if sweeps else [overrides])]
    specs = [read_spec(config) for config in configs]
    for config, spec in zip(configs, specs, strict=True):
        if sweeps and not runs_commands(config.hydra.launcher):
            refuse_in_sweep(spec.hardware.devices)
    for config in configs[:1]:
        check_run_folder(config, "sweep" if sweeps else "run")
    return specs


def _points(overrides: list[str]) -> Iterator[list[str]]:
    """The points of a sweep, which are known beforehand unless a sweeper of another kind chooses them as it goes."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    if any(override.startswith("hydra/sweeper=") for override in overrides):
        return
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except OverrideParseException:
        yield overrides  # composing will say what cannot be read
        return
    for batch in BasicSweeper.split_arguments(parsed, None):
        yield from (list(point) for point in batch)


def run_job(config: DictConfig) -> None:
    """One job of Hydra's.

    Raises:
        LottoError: it is wrong, or a stage of it failed.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from lotto.api import run_composed

    if "worker" in config:  # of a sweep that several processes share
        from lotto.sweep.workers import work

        work(Path(config.worker.request))
        return
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:  # of a sweeper that chooses its points as it goes
        refuse_in_sweep(config.hardware.get("devices", 1))
    asked = [override for override in job.overrides.task if not override.startswith("+waypoints=")]
    outcome = run_composed(config, Path(job.runtime.output_dir), asked, sys.stdout)
    if outcome.failed:
        raise StageFailed(f"{len(outcome.failed)} stage(s) failed, the others are done: {outcome.failed[0]}")


def _plan(arguments: Sequence[str]) -> int:
    from lotto.compose import composed, read_spec
    from lotto.estimate import estimate_line
    from lotto.experiment import describe, summary_line
    from lotto.plan import Plan
    from lotto.store import Store

    overrides, config_dir, flags = _split(arguments)
    for flag in flags:
        if flag not in {"--no-estimate", *_SWEEP}:
            raise BadRequest(f"lotto plan does not take {flag}: only -m, --no-estimate, --config-dir and overrides.")
    if _SWEEP.intersection(flags):
        return _plan_points(overrides, config_dir, "--no-estimate" not in flags)
    spec = read_spec(composed(overrides, config_dir))
    plan, store = Plan.of(spec), Store(spec.store)
    print(f"{spec.name}: {spec.method_name} by {spec.criterion_name}, store {spec.store}")
    for line in describe(spec, plan, store):
        print(line)
    print(flush=True)  # a calibration takes seconds
    if not flags and (estimate := estimate_line(spec, plan, store)):
        print(estimate)
    print(summary_line(plan, store))
    return 0


def _plan_points(overrides: list[str], config_dir: str | None, estimates: bool) -> int:
    """The plan of a multirun: its points together."""
    from lotto.launchers.register import register_launchers
    from lotto.sweep.definition import Point, Shown, Sweep
    from lotto.sweep.planned import PlannedSweep
    from lotto.sweep.verb import print_plan

    register_launchers()
    made = list(_points(overrides))
    if not made:
        raise BadRequest("lotto plan -m cannot know the points of a hydra/sweeper that chooses them as it goes.")
    common = set(made[0]).intersection(*made)
    points = [
        Point(dict(override.split("=", 1) for override in point if override not in common), tuple(point))
        for point in made
    ]
    sweep = Sweep("-m", Path(), " ".join(overrides), (), {}, (), Shown("density", ()))
    return print_plan(PlannedSweep.of_points(sweep, points, config_dir=config_dir), estimates, sys.stdout)


def _sweep(arguments: Sequence[str]) -> int:
    from lotto.launchers.register import register_launchers
    from lotto.sweep.verb import sweep

    register_launchers()
    words, config_dir, flags = _split(arguments)
    overrides = [word for word in words if _is_hydras(word)]
    return sweep([word for word in words if not _is_hydras(word)], overrides, flags, config_dir, sys.stdout)


def _status(arguments: Sequence[str]) -> int:
    from lotto.status import print_status

    print_status(_store_of("status", arguments, ()), sys.stdout)
    return 0


def _gc(arguments: Sequence[str]) -> int:
    from lotto.gc import collect

    collect(_store_of("gc", arguments, ("--yes",)), "--yes" in arguments, sys.stdout)
    return 0


def _store_of(verb: str, arguments: Sequence[str], allowed: Sequence[str]) -> Store:
    """The store that the words behind a verb name: the default one, or ``store=``."""
    from lotto.compose import composed
    from lotto.store import Store

    for argument in arguments:
        if argument not in allowed and not argument.startswith("store="):
            known = ", ".join(["store=DIR", *allowed])
            raise BadRequest(f"lotto {verb} does not take {argument}: only {known}.")
    return Store(str(composed([argument for argument in arguments if "=" in argument]).store))


def _report(arguments: Sequence[str]) -> int:
    from lotto.api import report_again
    from lotto.mirrors.again import loggers

    if arguments and arguments[0] in loggers():
        return _mirror(arguments[0], arguments[1:])
    for folder in arguments:
        if folder.startswith("-") or "=" in folder:
            raise BadRequest(
                f"lotto report {folder}: give folders of finished runs, such as outputs/runs/digits/1a2b3c4d."
            )
    report_again([Path(folder) for folder in arguments], sys.stdout)
    return 0


def _mirror(logger: str, arguments: Sequence[str]) -> int:
    from lotto.api import mirror_again
    from lotto.mirrors.again import check_overrides

    overrides = [argument for argument in arguments if "=" in argument]
    flags = [argument for argument in arguments if argument.startswith("-") and argument not in overrides]
    folders = [Path(argument) for argument in arguments if argument not in [*overrides, *flags]]
    check_overrides(logger, overrides)
    if flags == ["--workspace"] and logger == "wandb":
        from lotto.mirrors.workspace import report_workspace

        return report_workspace(folders, overrides, sys.stdout)
    for flag in flags:
        raise BadRequest(
            f"lotto report {logger} does not take {flag}: only folders, overrides and for wandb --workspace."
        )
    return mirror_again(logger, folders, overrides, sys.stdout)


def _ticket(arguments: Sequence[str]) -> int:
    from lotto.ticket_cli import main as ticket_main

    return ticket_main(list(arguments))


def _list(arguments: Sequence[str]) -> int:
    from lotto.listing import listing

    groups, config_dir, flags = _split(arguments)
    if flags:
        raise BadRequest(f"lotto list does not take {flags[0]}: only --config-dir and groups.")
    print(listing(groups, config_dir), end="")
    return 0


def _bench(arguments: Sequence[str]) -> int:
    from lotto.bench.request import BenchRequest

    overrides, config_dir, flags = _split(arguments)
    if config_dir or flags:
        raise BadRequest(f"lotto bench does not take {flags[0] if flags else '--config-dir'}: only overrides.")
    request = BenchRequest.read(overrides)  # may refuse it before PyTorch is loaded
    from lotto.bench.verb import bench

    bench(request, sys.stdout, sys.stderr)
    return 0


def _split(arguments: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Overrides, the value of ``--config-dir``, and Hydra's other flags."""
    overrides: list[str] = []
    flags: list[str] = []
    config_dir = None
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, _, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            config_dir = value or (rest.pop(0) if rest else "")
            if not Path(config_dir).is_dir():
                raise BadRequest(f"--config-dir={config_dir} is not a folder.")
        elif argument.startswith("-"):
            flags.append(argument)
        else:
            overrides.append(argument)
    return overrides, config_dir, flags


def _complete_without_verb() -> None:
    """Hydra's completion reads the line that is being typed, and takes a verb on it for an override."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) > 2 and words[1] in VERBS:
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])


_HELP = {"-h", "--help"}

VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run_verb,
    "plan": _plan,
    "sweep": _sweep,
    "report": _report,
    "status": _status,
    "gc": _gc,
    "ticket": _ticket,
    "list": _list,
    "bench": _bench,
    "help": _help,
}
