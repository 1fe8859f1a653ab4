"""Beginning a W&B run that depends on nothing but what lotto says: no global run, no prompt, no environment of another run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest
from lotto.mirrors.line import PLACE

if TYPE_CHECKING:
    from wandb import Run

MODES = ("offline", "online", "disabled")

# What the environment of an agent, a launcher or a shell says of one run would else become part of every run of this process.
_OF_ONE_RUN = (
    *("RUN_ID", "NAME", "NOTES", "TAGS", "JOB_TYPE", "RUN_GROUP", "RESUME", "RESUME_FROM", "FORK_FROM", "CONFIG_PATHS"),
    *("SWEEP_ID", "SWEEP_PARAM_PATH", "MODE", "DIR", "SILENT", "QUIET", "CONSOLE", "PROGRAM", "LAUNCH"),
    # W&B's own process, of which every process of lotto has one: in a parent's, the runs of a killed child would stay begun.
    "SERVICE",
)

# Nothing is asked of the network, the machine or git that lotto does not tell, and nothing is written to the terminal.
_QUIET = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "disable_code": True,
    "symlink": False,
    "use_dot_wandb": False,
    "init_timeout": 20.0,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


def begin_run(folder: Path, mode: str, run_id: str, sweep: str | None = None, **given: Any) -> Run:
    """A run of that id, begun anew: an online one takes the place of what the server holds under the id.

    Args:
        folder: ``wandb/`` is made in it.
        given: to ``wandb.init``.
    """
    with _without_the_environment_of_one_run():
        import wandb

        # Some of them are W&B's private settings, which a later version may not know.
        known: dict[str, Any] = {name: _QUIET[name] for name in _QUIET if name in wandb.Settings.model_fields}
        if sweep:
            known["sweep_id"] = sweep
        given |= {"dir": str(folder.resolve()), "mode": mode, "id": run_id}
        run = wandb.init(reinit="create_new", save_code=False, settings=wandb.Settings(**known), **given)
    if run.id != run_id:
        run.finish(1)
        raise RuntimeError(f"W&B gave the run {run.id} in place of {run_id}: the process is inside another W&B session")
    return run


def along_levels(run: Run, names: Iterable[str]) -> None:
    """Have W&B draw these columns of the results along the levels."""
    for name in names:
        if name not in PLACE:
            run.define_metric(name, step_metric="level")


def check_online() -> None:
    """Raises BadRequest if there is no key: W&B would ask for one, and wait."""
    with _without_the_environment_of_one_run():
        from wandb.sdk import wandb_setup
        from wandb.sdk.lib import wbauth

        host = wandb_setup.singleton().settings.base_url
        key = os.environ.get("WANDB_API_KEY") or wbauth.session_credentials(host=host) or _in_netrc(host)
    if not key and not os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        raise BadRequest(
            "logger.wandb.mode=online needs a key: run wandb login or set WANDB_API_KEY, "
            "or keep mode=offline and send with wandb sync later."
        )


def _in_netrc(host: str) -> object:
    from wandb.sdk.lib import wbauth

    return wbauth.read_netrc_auth(host=host)


@contextmanager
def _without_the_environment_of_one_run() -> Iterator[None]:
    names = [f"WANDB_{name}" for name in _OF_ONE_RUN]
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.pop("WANDB_SERVICE", None)  # not for children either
        os.environ.update(hidden)
