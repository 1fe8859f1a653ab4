"""A Slurm cluster of one node, this machine, for the length of a test: on the loopback interface, everything in one folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")

_CONF = """\
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
# The credential's life is also how long a job that is queued again must wait.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/state/slurmctld.pid
SlurmdPidFile={folder}/spool/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# A job that asked for a signal ahead of its end gets it ahead of a preemption too.
SlurmctldParameters=preempt_send_user_signal
KillWait=5
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=30
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
"""

# Accounting needs a database. Without an answer from sacct, submitit waits for good for a job that died; this one asks the queue.
_SACCT = """\
#!/usr/bin/env bash
jobs=
while [ $# -gt 0 ]; do
  if [ "$1" = -j ]; then jobs="$jobs${jobs:+,}$2"; shift; fi
  shift
done
echo 'JobID|State|NodeList'
squeue --noheader --states=all --array --jobs="$jobs" --format='%F_%K|%T|%N' 2>/dev/null | sed 's,_N/A|,|,'
"""


def missing() -> list[str]:
    """Programs of Slurm that are not installed here."""
    return [name for name in NEEDED if shutil.which(name, path=_PATH) is None]


class OneNode:
    """Daemons of this process's user, which end with the ``with`` block.

    Args:
        folder: for everything the cluster writes; a short path, since sockets lie in it.
    """

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.folder, self.cpus = folder, cpus
        self.environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SUBMITIT"))},
            "PATH": f"{folder / 'bin'}:{_PATH}",
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        self._stack = ExitStack()

    def __enter__(self) -> OneNode:
        with self._stack as stack:
            self._write()
            munge = self.folder / "munge"
            self._daemon(
                *("munged", "--foreground", "--force", f"--key-file={munge / 'key'}", f"--socket={munge / 'socket'}"),
                *(f"--pid-file={munge / 'pid'}", f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}"),
            )
            self.wait("munged", (munge / "socket").exists)
            self._daemon("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
            self.wait("slurmctld", lambda: "is UP" in self("scontrol", "ping"))
            self._daemon("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))
            self.wait("slurmd", lambda: self("sinfo", "--noheader", "-o", "%t").split()[:1] in (["idle"], ["mix"]))
            stack.callback(self._cancel)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def __call__(self, *command: str) -> str:
        """What one of Slurm's commands says."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr

    def wait(self, what: str, there: Callable[[], bool], seconds: float = 30) -> None:
        """Until it is there."""
        deadline = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self._logs()}"
            time.sleep(0.1)

    def _write(self) -> None:
        for name in ("munge", "state", "spool", "log", "bin"):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        (self.folder / "munge" / "key").write_bytes(os.urandom(1024))
        (self.folder / "munge" / "key").chmod(0o600)
        ports = [_free_port(), _free_port()]
        (self.folder / "slurm.conf").write_text(
            _CONF.format(
                host=socket.gethostname().partition(".")[0],
                port=ports[0],
                node_port=ports[1],
                folder=self.folder,
                user=pwd.getpwuid(os.getuid()).pw_name,
                cpus=self.cpus,
            )
        )
        sacct = self.folder / "bin" / "sacct"
        sacct.write_text(_SACCT)
        sacct.chmod(sacct.stat().st_mode | stat.S_IXUSR)

    def _daemon(self, *command: str) -> None:
        log = self._stack.enter_context((self.folder / "log" / command[0]).open("wb"))
        process = subprocess.Popen(
            [shutil.which(command[0], path=_PATH) or command[0], *command[1:]],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._stack.callback(_end, process)

    def _cancel(self) -> None:
        for job in set(self("squeue", "--noheader", "-o", "%A").split()):
            self("scancel", job)
        with suppress(AssertionError):
            self.wait("the jobs to end", lambda: not self("squeue", "--noheader"), 20)

    def _logs(self) -> str:
        return "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in (self.folder / "log").glob("*")
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
