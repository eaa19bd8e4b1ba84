"""One exception class per kind of failure, and the exit-status table.

Every error a user can meet is a :class:`NwbkitError`: one lower-case line that
names its subject in quotes, and, where one exists, a hint that names the exact
option or command that mends it. ``cli`` prints both and exits with ``status``.
"""

from __future__ import annotations

EXIT_STATUS: dict[int, str] = {
    0: "done (also: nothing to do with --skip-existing)",
    1: "ran well, the answer is no: nothing detected, validation or verification found something",
    2: "usage",
    3: "partly done, with --keep-going or --salvage; the output is published",
    65: "input damaged or contradictory; a fact, option or choice is needed (the message names "
    "the exact option); wrong or unparsable document; alignment refused",
    66: "input missing, unreadable, or of no known format",
    69: "an extra is not installed",
    70: "internal error (traceback with --debug)",
    73: "output exists (or exists from other inputs), or cannot be created",
    74: "I/O error, disk full",
    75: "try again: network, lock, interrupted with a job folder to resume",
    77: "credentials missing or refused",
}


class NwbkitError(Exception):
    """Base of every failure that nwbkit explains to its user.

    Parameters
    ----------
    message : str
        One line, lower case, no full stop, the subject in quotes.
    hint : str, optional
        What to do about it: the exact option or command.
    """

    status = 70

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(NwbkitError):
    """The command line itself is wrong: an unknown option value, two options that exclude."""

    status = 2


class DamagedInput(NwbkitError):
    """A source contradicts itself: truncated, header against data, undecodable."""

    status = 65


class MissingFact(NwbkitError):
    """NWB demands a fact, or convert a choice, that nobody has given."""

    status = 65


class DocumentError(NwbkitError):
    """A document that cannot be parsed, of the wrong schema, or with unknown keys."""

    status = 65


class ClockError(NwbkitError):
    """Clocks without a common time base, or an alignment that is refused."""

    status = 65


class NoInput(NwbkitError):
    """An input that is missing or may not be read."""

    status = 66


class UnknownFormat(NwbkitError):
    """An input that no Format claims."""

    status = 66


class MissingExtra(NwbkitError):
    """A vendor format whose optional dependency is not installed."""

    status = 69

    def __init__(self, subject: str, extra: str, *, package: str | None = None) -> None:
        needs = package or extra
        super().__init__(
            f"{subject} needs the package '{needs}', which is not installed",
            hint=f"pip install 'nwbkit[{extra}]'",
        )


class InternalError(NwbkitError):
    """nwbkit broke one of its own promises."""

    status = 70


class OutputExists(NwbkitError):
    """The output is there already, from these or from other inputs."""

    status = 73


class OutputRefused(NwbkitError):
    """The output cannot be created: no such folder, no permission, a folder in its place."""

    status = 73


class IOFailure(NwbkitError):
    """Reading or writing failed half-way: disk full, device error."""

    status = 74


class TryAgain(NwbkitError):
    """The same command may succeed later: a lock held by another job, the network."""

    status = 75


class CredentialsError(NwbkitError):
    """Credentials that are missing or refused."""

    status = 77
