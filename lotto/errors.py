"""What can go wrong, by who can mend it."""


class LottoError(Exception):
    """An error whose message is one sentence that a user can act on."""

    exit_status = 1


class BadRequest(LottoError):  # noqa: N818 - the name says what it is; every caller raises it as a sentence
    """The request cannot be carried out as written: names the field, the value and what is allowed."""

    exit_status = 2


class StageFailed(LottoError):  # noqa: N818
    """A stage could not be finished; what was finished before it stays in the store."""

    exit_status = 1


class StoreUnwritable(StageFailed):
    """Nothing more can be kept: to train on would be in vain."""


class RankLost(StageFailed):
    """Of several processes that train together one has failed or is gone, and the others cannot go on."""


# Exit status of a process that was asked to terminate (128 + SIGTERM).
TERMINATED = 143
