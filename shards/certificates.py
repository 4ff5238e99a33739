"""Certificates of the servers that run on this machine."""

import ssl
from pathlib import Path
from typing import NamedTuple


class Certificate(NamedTuple):
    """A certificate chain and its key, and the authority that the other side's must be of (PEM)."""

    chain: Path
    key: Path
    authority: Path

    def server_context(self) -> ssl.SSLContext:
        """Return what a server needs: it shows this certificate and wants one of its clients.

        Raises OSError when the files cannot be used.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority)
        context.load_cert_chain(self.chain, self.key)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
