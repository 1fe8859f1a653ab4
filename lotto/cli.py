"""The command line: a verb, then Hydra overrides. A thin layer over the library."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lotto.arguments import MULTIRUN, is_overriding, split
from lotto.errors import TERMINATED, BadRequest, LottoError
from lotto.running.devices import follows

if TYPE_CHECKING:
    from lotto.store import Store

HELP = """\
lotto: find winning tickets, with the controls that show that they are.

  lotto [VERB] [Hydra overrides]

  run                  what the configuration describes; the verb may be left out, -m sweeps as in Hydra
  plan                 what run would do: stages, what is stored, training steps, and from a short calibration the time that they will
                       take here (--no-estimate leaves it out); runs nothing
  sweep [NAME]         runs sweeps/NAME.yaml as one plan: what points share is trained once (--plan says what, --workers=N shares it among
                       processes, through hydra/launcher=...); without a name lists the sweeps
  report [DIR...]      tables and figures of finished runs, from what is stored (default: every run under outputs/runs); several runs,
                       sweeps or ticket files are also compared in one page, under outputs/reports or hydra.run.dir=DIR;
                       report csv|tensorboard|wandb [DIR...] mirrors them, report wandb --workspace builds the panels
  reproduce [NAME]     a paper's figure or table: runs what is missing and prints the published numbers beside the measured ones, with a
                       verdict for every claim (--scale=smoke|cpu|paper, --replicates=N, --data=DIR); without a name lists them
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
    verb = arguments[0] if arguments and not is_overriding(arguments[0]) else "run"
    rest = arguments[1:] if arguments and not is_overriding(arguments[0]) else arguments
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


def _unknown(verb: str) -> int:
    from lotto.fields import near

    allowed = tuple(verb for verb in VERBS if not verb.startswith("-"))
    raise BadRequest(
        f"{verb} is no verb of lotto: choose from {', '.join(allowed)}; overrides are written name=value{near(verb, allowed) or '.'}"
    )


def _help(arguments: Sequence[str]) -> int:
    print(HELP, end="")
    return 0


def _run(arguments: Sequence[str]) -> int:
    from lotto.hydra_runs import run_hydra

    _complete_without_verb()
    return run_hydra(arguments)


def _plan(arguments: Sequence[str]) -> int:
    from lotto.compose import composed, read_spec
    from lotto.estimate import estimate_line
    from lotto.experiment import describe, summary_line
    from lotto.plan import Plan
    from lotto.store import Store

    overrides, config_dir, flags = split(arguments)
    for flag in flags:
        if flag not in {"--no-estimate", *MULTIRUN}:
            raise BadRequest(f"lotto plan does not take {flag}: only -m, --no-estimate, --config-dir and overrides.")
    if MULTIRUN.intersection(flags):
        from lotto.hydra_runs import plan_points

        return plan_points(overrides, config_dir, "--no-estimate" not in flags)
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


def _sweep(arguments: Sequence[str]) -> int:
    from lotto.launchers.register import register_launchers
    from lotto.sweep.verb import sweep

    register_launchers()
    words, config_dir, flags = split(arguments, ("--workers",))
    overrides = [word for word in words if is_overriding(word)]
    return sweep([word for word in words if not is_overriding(word)], overrides, flags, config_dir, sys.stdout)


def _reproduce(arguments: Sequence[str]) -> int:
    from lotto.launchers.register import register_launchers
    from lotto.reproduce.request import VALUED
    from lotto.reproduce.verb import reproduce

    register_launchers()
    words, config_dir, flags = split(arguments, VALUED)
    overrides = [word for word in words if is_overriding(word)]
    return reproduce([word for word in words if not is_overriding(word)], overrides, flags, config_dir, sys.stdout)


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
    places: dict[str, Path] = {}
    folders = []
    for argument in arguments:
        name, is_place, value = argument.partition("=")
        if is_place and name in _REPORT_PLACES and value:
            places[_REPORT_PLACES[name]] = Path(value)
        elif argument.startswith("-") or is_place:
            raise BadRequest(
                f"lotto report {argument}: give folders of finished runs, such as outputs/runs/digits/1a2b3c4d, of sweeps or tickets; "
                "hydra.run.dir=DIR says where they are compared, store=DIR where the keys of sweeps lead."
            )
        else:
            folders.append(Path(argument))
    report_again(folders, sys.stdout, **places)
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

    groups, config_dir, flags = split(arguments)
    if flags:
        raise BadRequest(f"lotto list does not take {flags[0]}: only --config-dir and groups.")
    print(listing(groups, config_dir), end="")
    return 0


def _bench(arguments: Sequence[str]) -> int:
    from lotto.bench.request import BenchRequest

    overrides, config_dir, flags = split(arguments)
    if config_dir or flags:
        raise BadRequest(f"lotto bench does not take {flags[0] if flags else '--config-dir'}: only overrides.")
    request = BenchRequest.read(overrides)  # may refuse it before PyTorch is loaded
    from lotto.bench.verb import bench

    bench(request, sys.stdout, sys.stderr)
    return 0


def _complete_without_verb() -> None:
    """Hydra's completion reads the line that is being typed, and takes a verb on it for an override."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) > 2 and words[1] in VERBS:
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])


_HELP = {"-h", "--help"}

# What may be said of a report beside its folders.
_REPORT_PLACES = {"hydra.run.dir": "page", "store": "store"}

VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": _run,
    "plan": _plan,
    "sweep": _sweep,
    "reproduce": _reproduce,
    "report": _report,
    "status": _status,
    "gc": _gc,
    "ticket": _ticket,
    "list": _list,
    "bench": _bench,
    "help": _help,
}
