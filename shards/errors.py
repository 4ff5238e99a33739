"""What can go wrong between us and Redis.

ShardsError
├── ConfigurationError      permanent: an operator has to change something
│   ├── ElectionError       the election file is not usable
│   ├── SchemeMismatch      the roll was hashed in another way than these settings say
│   ├── RollConflict        another roll is loaded already, or in another layout
│   ├── LawOpen             a law is not closed yet, by the clock of a shard
│   ├── RollLost            a roll that took ballots has lost part of its electors
│   ├── ReplayRefused       ballots of earlier do not fit into this cluster
│   └── ReviewRefused       an auditor's name or reason, or a case's id, is none
├── StrangeEntry            permanent: an outbox holds what is no attempt
└── Unavailable             passing: the same call may succeed later
    ├── NotConfirmed        it may have been recorded, but durability was not confirmed
    ├── Overloaded          too many calls wait already; this one was not sent
    └── RollMissing         the roll is not loaded
        └── RollIncomplete  part of its shards have it
"""


class ShardsError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(ShardsError):
    """Permanent until an operator changes something; the message says what."""


class ElectionError(ConfigurationError):
    """The election file cannot be used; the message names the key at fault."""


class SchemeMismatch(ConfigurationError):
    """The loaded roll's hash scheme or key differs from the settings'."""


class RollConflict(ConfigurationError):
    """A different roll is in the cluster already, or the same in the layout of another version."""


class LawOpen(ConfigurationError):
    """A law cannot be frozen: it is open, or has no window, by what some shard says."""


class ReplayRefused(ConfigurationError):
    """The cluster was in use, or the ballots of earlier are not of the roll given."""


class ReviewRefused(ConfigurationError):
    """A name, a reason or a case id cannot be put down as it was given; the message says why."""


class RollLost(ConfigurationError):
    """Part of a roll that took ballots is gone; who voted is to be rebuilt, not forgotten."""


class StrangeEntry(ShardsError):
    """An outbox holds an entry that is no attempt; the message says which, and what to do."""


class Unavailable(ShardsError):
    """Passing: the cluster could not answer in time; nothing is known to be recorded."""


class NotConfirmed(Unavailable):
    """The call was sent, its outcome is unknown or not durable yet; repeat with the same id."""


class Overloaded(Unavailable):
    """The bound on waiting calls is reached; the call was not sent."""


class RollMissing(Unavailable):
    """The roll is not loaded."""


class RollIncomplete(RollMissing):
    """Some shards hold the roll and others do not: a load that is not done, or a loss."""


def described(error: BaseException | None) -> str:
    """Say what happened, also where an error has no text, as a time-out has none."""
    if isinstance(error, TimeoutError):
        return str(error) or "no answer in time"
    return str(error) or type(error).__name__
