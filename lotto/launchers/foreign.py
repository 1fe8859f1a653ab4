"""What other people's launchers raise when they lose a job, in a sentence."""

from __future__ import annotations

from lotto.errors import StageFailed

_LIBRARIES = ("hydra_plugins", "joblib", "submitit", "ray")


def lost(reason: Exception) -> StageFailed | None:
    """The sentence, None if the error is none of a launcher's."""
    if type(reason).__module__.partition(".")[0] not in _LIBRARIES:
        return None
    said = next((line.strip() for line in str(reason).splitlines() if line.strip()), "no message")
    return StageFailed(
        f"The launcher lost a job ({type(reason).__name__}: {said.rstrip('.')}); what was finished is in the store, "
        "the same command goes on."
    )
