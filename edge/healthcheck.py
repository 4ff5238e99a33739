"""`python -m edge.healthcheck`: whether the service beside it answers, for a container's health.

Asks the address that `scrutin serve` listens on by its settings, this machine's own when it listens
on all, with TLS where the service has a certificate. A drainer's metrics: `--port 9101 --path
/metrics`. Exit code 0 for an answer 200, else 1 and why.
"""

import argparse
import http
import http.client
import ipaddress
import os
import ssl
import sys

from edge.settings import from_env

TIMEOUT_S = 4.0


def address_of(host: str) -> str:
    """Return the address at which a service that listens on `host` is asked."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host  # a name
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def answer(host: str, port: int, path: str, *, tls: bool) -> int:
    """Return the status that the service on this machine answers; raises OSError."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.create_default_context()
        # It is our own process: the certificate is issued for the name that others call it by.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def main() -> None:
    """Ask once and exit with the verdict."""
    settings = from_env(os.environ)
    parser = argparse.ArgumentParser(prog="python -m edge.healthcheck", description=__doc__)
    parser.add_argument("--port", type=int, default=settings.port)
    parser.add_argument("--path", default="/api/v1/health")
    arguments = parser.parse_args()
    try:
        host, tls = address_of(settings.host), settings.tls_cert_file is not None
        status = answer(host, arguments.port, arguments.path, tls=tls)
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"port {arguments.port}: {error}")
    if status != http.HTTPStatus.OK:
        sys.exit(f"port {arguments.port}{arguments.path}: {status}")


if __name__ == "__main__":
    main()
