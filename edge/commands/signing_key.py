"""`scrutin signing-key`: the key that records are signed with."""

import sys
from pathlib import Path

from edge.commands.running import run
from edge.records.signing_keys import fingerprint_of, make_signing_key, pem_of, public_file_of


def signing_key(file: Path, /) -> int:
    """Make an Ed25519 key to sign records with. Exits 2 when the file is there already.

    The private key goes to FILE, which only its owner can read, the public one to FILE.pub. Give
    the public key and its fingerprint to whoever checks records, before there is one.

    Parameters
    ----------
    file
        Where the private key goes.

    """

    async def work() -> None:
        public = make_signing_key(file)
        sys.stdout.write(pem_of(public).decode())
        sys.stdout.write(f"fingerprint  {fingerprint_of(public)}\n")
        sys.stdout.write(f"private key  {file}\npublic key   {public_file_of(file)}\n")

    return run(work)
