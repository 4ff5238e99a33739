"""The baseline's servers, each with its data in a directory of its own."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from shards.localcluster import server_binary
from shards.process import LocalProcess

POSTGRES_USER = "postgres"  # the server refuses to run as root
PERSISTENCE = {"appendonly": "yes", "appendfsync": "everysec", "save": "60 1"}


class MissingServer(Exception):
    """A server is not installed; the message says how to get it."""


def find(program: str, package: str, directories: list[Path]) -> str:
    """Find a program in the directories, else on PATH; raises `MissingServer`."""
    path = os.pathsep.join([*map(str, directories), os.environ.get("PATH", "")])
    found = shutil.which(program, path=path)
    if found is None:
        raise MissingServer(f"{program} is not installed: apt-get install {package}")
    return found


class Epmd(LocalProcess):
    """Erlang's port mapper, without which RabbitMQ starts one that outlives it."""

    def __init__(self, directory: Path, port: int) -> None:
        env = {"ERL_EPMD_PORT": str(port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        program = find("epmd", "rabbitmq-server", [])
        super().__init__("epmd", [program], log=directory / "epmd.log", env=env)


class RabbitMq(LocalProcess):
    """A RabbitMQ node with its defaults: durable classic queues, no plugin, no busy waiting."""

    def __init__(self, directory: Path, port: int, distribution_port: int, epmd_port: int) -> None:
        # Debian's program on PATH changes to another user; this one is what it runs then.
        program = find("rabbitmq-server", "rabbitmq-server", [Path("/usr/lib/rabbitmq/bin")])
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/"
        configuration = directory / "rabbitmq.conf"
        configuration.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        env = {
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": f"baseline-{port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_LOGS": "-",
            # With input "allowed" the script becomes the server instead of its parent.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-noinput +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
        }
        super().__init__("rabbitmq", [program], log=directory / "rabbitmq.log", env=env)


class Postgres(LocalProcess):
    """A PostgreSQL server that commits to disk, with memory and WAL to spare."""

    def __init__(self, directory: Path, port: int) -> None:
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        program = find("postgres", "postgresql", installed)
        self._data = directory / "data"
        self._initdb = str(Path(program).with_name("initdb"))
        self._as_user = _as_user(POSTGRES_USER) if os.geteuid() == 0 else []
        self.url = f"postgresql://scrutin@127.0.0.1:{port}/postgres"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "on",
        }
        argv = [*self._as_user, program, "-D", str(self._data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        super().__init__("postgres", argv, log=directory / "postgres.log")

    def initialise(self) -> None:
        """Make the empty database; raises CalledProcessError."""
        self._data.mkdir()
        if self._as_user:
            shutil.chown(self._data, POSTGRES_USER)
        flags = ["--auth=trust", "--username=scrutin", "--encoding=UTF8", "--locale=C"]
        command = [*self._as_user, self._initdb, "-D", str(self._data), *flags]
        subprocess.run(command, check=True, capture_output=True)

    def stop(self, timeout_s: float = 10.0) -> int | None:
        """Stop without waiting for clients to leave."""
        if self.alive:
            self.send(signal.SIGINT)
        return super().stop(timeout_s)


class Redis(LocalProcess):
    """One Redis-protocol server, persisting as documented: AOF each second, snapshots."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        settings = {"port": str(port), "bind": "127.0.0.1", "dir": str(directory), **PERSISTENCE}
        argv = [server_binary()]
        for name, value in settings.items():
            argv += [f"--{name}", *value.split()]
        super().__init__("redis", argv, log=directory / "redis.log")


def _as_user(user: str) -> list[str]:
    """Return the command before a server's own that makes it run as a user and die with us."""
    group = ["--reuid", user, "--regid", user, "--init-groups", "--pdeathsig", "KILL"]
    return ["setpriv", *group, "--"]
