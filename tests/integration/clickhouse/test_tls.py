"""ClickHouse over TLS: whom a client's certificate and a password prove."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from clickhouse.connection import connected
from clickhouse.errors import ClickHouseRejected
from clickhouse.local.process import LocalClickHouse

PASSWORD = "a password"


@contextlib.asynccontextmanager
async def tls_before(port: int, authority: trustme.CA) -> AsyncIterator[int]:
    """Take TLS off for a port of this machine, from clients with a certificate; yield our port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClickHouseRejected, match=r"ca_cert of .*nowhere\.crt cannot be read"):
        async with connected(f"https://localhost?ca_cert={tmp_path / 'nowhere.crt'}"):
            pass


async def test_a_password_is_given_beside_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca, cert, key = (tmp_path / name for name in ("ca.crt", "tls.crt", "tls.key"))
    authority.cert_pem.write_to_path(ca)
    issued = authority.issue_cert("drain.scrutin.svc")
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    options = f"?ca_cert={ca}&client_cert={cert}&client_cert_key={key}"
    password_file = tmp_path / "password"
    password_file.write_text(PASSWORD)
    with LocalClickHouse(tmp_path / "clickhouse", password_file=password_file) as server:
        async with tls_before(int(server.url.rpartition(":")[2]), authority) as port:
            url = f"https://scrutin:{quote(PASSWORD)}@localhost:{port}{options}"
            async with connected(url) as client:
                assert (await client.query("SELECT 1")).result_rows == [(1,)]
            with pytest.raises(ClickHouseRejected):
                async with connected(url.replace(quote(PASSWORD), "another")):
                    pass
