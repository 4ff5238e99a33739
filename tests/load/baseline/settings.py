"""Where the baseline's services find its servers; read from the environment at their entry."""

import os

import msgspec

PREFIX = "BASELINE_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """URLs of RabbitMQ, Redis and PostgreSQL, the API's port, votes a worker decides together."""

    amqp_url: str
    redis_url: str
    postgres_url: str
    http_port: int
    worker_batch: int

    def to_env(self) -> dict[str, str]:
        """Return the environment that `from_env` reads."""
        return {
            PREFIX + name.upper(): str(value)
            for name, value in msgspec.structs.asdict(self).items()
        }


def from_env() -> Settings:
    """Read the settings; raises msgspec.ValidationError when one is missing."""
    values = {name: os.environ.get(PREFIX + name.upper()) for name in Settings.__struct_fields__}
    return msgspec.convert({n: v for n, v in values.items() if v}, Settings, strict=False)
