"""What can go wrong in the service itself.

EdgeError
├── SettingsError       a setting is wrong; the message names its variable or flag
├── StartError          the service cannot start or go on: port taken, file unreadable
├── SigningKeyError     a key for records cannot be made, read or used
├── RecordError         a signed record was changed, or is not to be written
├── RehearsalFailed     a rehearsal of referendum day came to no end
├── AccuracyRefused     accuracy is not to be rehearsed, or nothing wiped, as things stand
└── BadRequest          a request that gets a problem as its answer
"""

from edge.problems import Problem


class EdgeError(Exception):
    """Base of all errors of this package."""


class SettingsError(EdgeError):
    """A setting is missing or wrong; the message names the variable or the flag."""


class StartError(EdgeError):
    """The service cannot start; the message says what to do."""


class SigningKeyError(EdgeError):
    """A key for signed records cannot be made, read or used; the message never holds it."""


class RecordError(EdgeError):
    """A signed record is not what it says, or may not be written; the message says why."""


class RehearsalFailed(EdgeError):
    """A rehearsal of referendum day came to no end: a process ended, or nothing went on."""


class AccuracyRefused(EdgeError):
    """A rehearsal of accuracy may not begin, or not wipe; the message says what to do first."""


class BadRequest(EdgeError):
    """A request is refused with `problem` as its answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.kind.code)
        self.problem = problem
