"""Bodies' compression, as ClickHouse's HTTP interface has it."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable

import lz4.frame

from clickhouse.local.faults import Fault, not_implemented

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# In the order in which a ClickHouse server chooses among those a client accepts.
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda data: zstd.compress(data, level=1),
    "gzip": lambda data: gzip.compress(data, compresslevel=3),
    "deflate": lambda data: zlib.compress(data, level=3),
}


def decompress(data: bytes, encoding: str, size_bytes_max: int) -> bytes:
    """Undo a `Content-Encoding`.

    Raises Fault when the encoding is unknown, the data is damaged, or there is more than
    `size_bytes_max` in it.
    """
    if encoding in ("", "identity"):
        return data
    if encoding not in _COMPRESS:
        raise not_implemented(f"Content-Encoding {encoding} is not supported")
    try:
        plain = _read(io.BytesIO(data), encoding, size_bytes_max + 1)
    except (OSError, EOFError, RuntimeError, zlib.error, zstd.ZstdError) as error:
        raise Fault(271, "CANNOT_DECOMPRESS", f"The body is not {encoding} data") from error
    if len(plain) > size_bytes_max:
        raise Fault(223, "QUERY_IS_TOO_LARGE", f"The body holds more than {size_bytes_max} bytes")
    return plain


def _read(data: io.BytesIO, encoding: str, size_bytes_max: int) -> bytes:
    if encoding == "deflate":
        stream = zlib.decompressobj()
        plain = stream.decompress(data.read(), size_bytes_max)
        if not stream.eof and len(plain) < size_bytes_max:
            raise EOFError
        return plain
    openers = {"lz4": lz4.frame.open, "zstd": zstd.open, "gzip": gzip.open}
    with openers[encoding](data) as reader:
        return bytes(reader.read(size_bytes_max))


def choose(accept_encoding: str) -> str:
    """Name the compression to answer with, "" for none."""
    accepted = {part.split(";")[0].strip() for part in accept_encoding.lower().split(",")}
    return next((name for name in _COMPRESS if name in accepted), "")


def compress(data: bytes, encoding: str) -> bytes:
    """Compress an answer with what `choose` gave."""
    return _COMPRESS[encoding](data) if encoding else data
