"""The images of compose/: true ones where they can be had, else stand-ins.

A stand-in has the same program, as Debian builds it, under the name that compose.yaml uses. For
ClickHouse, which Debian does not have, it is the local engine behind TLS. Our own image is built
by the real Dockerfile either way, from wheels built outside, so that no step needs the network.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.compose.engine import ROOT, EngineError, docker, run

STANDINS = Path(__file__).parent / "standins"
OVERLAY = STANDINS / "compose.yaml"
BUILT = ROOT / "target" / "compose"
WHEELS = "dist/wheels"
BASES = ("python:3.13-slim-trixie", "rust:1.95-slim-trixie")
CLICKHOUSE = "clickhouse/clickhouse-server:"
NO_STANDIN = ("clickhouse/", "grafana/")
LABEL = "scrutin.standin"

Say = Callable[[str], None]


def provide(images: Sequence[str], say: Say) -> bool:
    """Have all images on this machine; return whether they are the true ones.

    Raises `EngineError` when there are neither.
    """
    wanted = [*BASES, *images]
    missing = [image for image in wanted if not _is_true(image)]
    try:
        for image in missing:
            say(f"pulling {image}")
            docker("pull", "--quiet", image)
    except EngineError as error:
        say(f"no image can be pulled: {str(error).splitlines()[-1]}")
    else:
        return True
    say("building stand-ins of Debian's packages")
    _stand_in(wanted)
    return False


def make_wheels() -> None:
    """Make what images are built of; raises `EngineError`."""
    run(["bash", "compose/package/wheels.sh", WHEELS])


def build(image: str) -> None:
    """Build our image by its Dockerfile, of the wheels; raises `EngineError`."""
    build_arguments = ["--build-arg", f"WHEELS={WHEELS}", "--network", "none"]
    docker("build", "--quiet", *build_arguments, "--tag", image, ".")


def remove_standins() -> None:
    """Remove every stand-in's name, so that nothing takes it for the true image."""
    names = docker("images", "--filter", f"label={LABEL}", "--format", "{{.Repository}}:{{.Tag}}")
    for name in names.split():
        if "<none>" not in name and not name.startswith("scrutin:"):
            docker("rmi", "--no-prune", name)


def _is_true(image: str) -> bool:
    try:
        labels = docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)
    except EngineError:
        return False
    return LABEL not in labels


def _stand_in(images: Sequence[str]) -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise EngineError("stand-ins need root and debootstrap (apt-get install debootstrap)")
    root = BUILT / "root"
    BUILT.mkdir(parents=True, exist_ok=True)
    if not (BUILT / "root.made").exists():
        if root.exists():
            shutil.rmtree(root)
        run([STANDINS / "root.sh", root])
        (BUILT / "root.made").touch()
    plain = [image for image in images if not image.startswith(NO_STANDIN)]
    run([STANDINS / "import.sh", root, *plain])
    for image in images:
        if image.startswith(CLICKHOUSE):
            _clickhouse(image)


def _clickhouse(image: str) -> None:
    """Build the local engine and all it needs into an image."""
    context = BUILT / "clickhouse"
    if context.exists():
        shutil.rmtree(context)
    context.mkdir()
    uv = ROOT / ".tools" / "bin" / "uv"
    requirements = context / "requirements.txt"
    exported = ["--locked", "--quiet", "--no-default-groups", "--no-emit-project"]
    run([uv, "export", *exported, "--extra", "demo", "--output-file", requirements])
    target = ["--quiet", "--python-version", "3.13", "--only-binary", ":all:", "--no-deps"]
    into = ["--target", str(context / "site"), "--link-mode", "copy"]
    run([uv, "pip", "install", *target, *into, "--require-hashes", "-r", requirements])
    [wheel] = (ROOT / WHEELS).glob("scrutin-*.whl")
    run([uv, "pip", "install", *target, *into, wheel])
    for name in ("clickhouse-server", "haproxy.cfg"):
        shutil.copy(STANDINS / name, context / name)
    docker("build", "--quiet", "--network", "none", "--tag", image,
           "--file", STANDINS / "clickhouse.Dockerfile", context)  # fmt: skip
