"""`licences.py DIRECTORY`: under which licences the wheels in a directory may be passed on.

Writes into its `sbom/`: rust.cdx.json, the crates that our wheel carries (CycloneDX, as maturin
put it into the wheel), and LICENCES.txt, every package and crate with its licence and its texts.
Exits 1 if one of them names no licence. Needs `cargo`, and Python's own library alone.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

TEXT_NAMES = ("licen", "copying", "notice")


class Part(NamedTuple):
    """A package or crate: its licence in its own words, and the texts by file name."""

    name: str
    version: str
    licence: str
    texts: dict[str, str]


def is_text(path: str) -> bool:
    """Say by its name whether a file is a licence's text."""
    return Path(path).name.lower().startswith(TEXT_NAMES)


def package(path: Path) -> Part:
    """Read what a wheel says of itself."""
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" in name]
        [about] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(wheel.read(about).decode())
        texts = {
            name.partition("/")[2]: wheel.read(name).decode(errors="replace")
            for name in names
            if is_text(name)
        }
    return Part(metadata["Name"], metadata["Version"], licence_of(metadata), texts)


def licence_of(metadata: Message) -> str:
    """Return the licence that a wheel's metadata name in one of three ways, "" for none."""
    if expression := metadata["License-Expression"]:
        return str(expression)
    classifiers = [str(value) for value in metadata.get_all("Classifier", [])]
    classified = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::")]
    return ", ".join(classified) or str(metadata["License"] or "").partition("\n")[0]


def rust_sbom(wheel: Path) -> bytes:
    """Return the list of crates that maturin put into our wheel."""
    with zipfile.ZipFile(wheel) as content:
        [name] = [n for n in content.namelist() if n.endswith(".cyclonedx.json")]
        return content.read(name)


def crates(sbom: bytes) -> Iterator[Part]:
    """Yield the crates of a list, with the texts that cargo has beside their source."""
    done = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1"],  # noqa: S607 (from PATH)
        capture_output=True,
        text=True,
        check=True,
    )
    known = {(p["name"], p["version"]): p for p in json.loads(done.stdout)["packages"]}
    for component in json.loads(sbom)["components"]:
        crate = known[component["name"], component["version"]]
        source = Path(crate["manifest_path"]).parent
        texts = {p.name: p.read_text() for p in sorted(source.iterdir()) if is_text(p.name)}
        yield Part(crate["name"], crate["version"], crate["license"] or "", texts)


def main() -> None:
    """Write both files, or say what has no licence."""
    directory = Path(sys.argv[1])
    wheels = sorted(directory.glob("*.whl"))
    [ours] = [path for path in wheels if path.name.startswith("scrutin-")]
    sbom = rust_sbom(ours)
    (directory / "sbom" / "rust.cdx.json").write_bytes(sbom)
    parts = [package(path) for path in wheels] + list(crates(sbom))
    nameless = [f"{part.name} {part.version}" for part in parts if not part.licence.strip()]
    if nameless:
        sys.exit(f"licences.py: no licence is named by {', '.join(nameless)}")
    lines = [f"{part.name} {part.version}: {part.licence}" for part in parts]
    for part in parts:
        for name, text in part.texts.items():
            lines.append(f"\n{'=' * 80}\n{part.name} {part.version}: {name}\n\n{text.strip()}")
    (directory / "sbom" / "LICENCES.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
