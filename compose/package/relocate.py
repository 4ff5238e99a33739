"""`relocate.py WHEEL DIRECTORY`: takes the directory that a wheel was built in out of it.

maturin's list of crates names it. What is written instead is /source, as the compiler is told to.
"""

import base64
import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path


def digest(content: bytes) -> str:
    """Return a file's hash as RECORD has it."""
    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={encoded.decode()}"


def relocate(wheel: Path, directory: str) -> None:
    """Rewrite a wheel, all else in it unchanged and in the same order."""
    with zipfile.ZipFile(wheel) as old:
        contents = {info: old.read(info) for info in old.infolist()}
    changed = {}
    for info, content in contents.items():
        if "/sboms/" in info.filename:
            contents[info] = content.replace(directory.encode(), b"/source")
            changed[info.filename] = contents[info]
    for info, content in contents.items():
        if info.filename.endswith(".dist-info/RECORD"):
            rows = io.StringIO(newline="")
            writer = csv.writer(rows, lineterminator="\n")
            for name, *rest in csv.reader(io.StringIO(content.decode())):
                if name in changed:
                    rest = [digest(changed[name]), str(len(changed[name]))]
                writer.writerow([name, *rest])
            contents[info] = rows.getvalue().encode()
    with zipfile.ZipFile(wheel, "w") as new:
        for info, content in contents.items():
            new.writestr(info, content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    relocate(Path(sys.argv[1]), sys.argv[2])
