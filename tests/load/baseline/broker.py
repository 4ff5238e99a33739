"""RabbitMQ: exchange, queues, publishing with confirms, and consuming in batches."""

import asyncio
from collections.abc import Sequence
from typing import Literal, Self

import aio_pika
import msgspec
from aio_pika.abc import (
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractRobustChannel,
    AbstractRobustConnection,
)

EXCHANGE = "votes.exchange"
RoutingKey = Literal["vote.submitted", "vote.accepted", "vote.duplicate", "vote.invalid"]
Queue = Literal["votes.validation", "votes.aggregation", "votes.review"]
BINDINGS: dict[Queue, tuple[RoutingKey, ...]] = {
    "votes.validation": ("vote.submitted",),
    "votes.aggregation": ("vote.accepted",),
    "votes.review": ("vote.duplicate", "vote.invalid"),
}
PREFETCH = 400  # messages that the broker sends before the first of them is acknowledged


class Vote(msgspec.Struct, frozen=True):
    """A vote between the services; `timestamp` in seconds since 1970."""

    hash: str
    law_id: str
    vote: str
    timestamp: float


class Inbox:
    """Messages of one queue, taken in batches and acknowledged as batches."""

    def __init__(self, size_max: int, linger_s: float) -> None:
        self._size_max = size_max
        self._linger_s = linger_s
        self._waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def put(self, message: AbstractIncomingMessage) -> None:
        """Take a delivery; the channel's prefetch bounds how many wait."""
        self._waiting.put_nowait(message)

    async def take(self) -> list[AbstractIncomingMessage]:
        """Wait for a message, then for as many more as come within the linger time."""
        batch = [await self._waiting.get()]
        until_s = asyncio.get_running_loop().time() + self._linger_s
        while len(batch) < self._size_max:
            if self._waiting.empty():
                try:
                    async with asyncio.timeout_at(until_s):
                        batch.append(await self._waiting.get())
                except TimeoutError:
                    break
            else:
                batch.append(self._waiting.get_nowait())
        return batch


class Broker:
    """One connection to RabbitMQ, with a channel that confirms what is published."""

    def __init__(
        self,
        connection: AbstractRobustConnection,
        channel: AbstractRobustChannel,
        exchange: AbstractExchange,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._exchange = exchange

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect and declare the durable exchange and queues."""
        connection = await aio_pika.connect_robust(url)
        channel = await connection.channel(publisher_confirms=True)
        assert isinstance(channel, AbstractRobustChannel)
        exchange = await channel.declare_exchange(
            EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True
        )
        for name, keys in BINDINGS.items():
            queue = await channel.declare_queue(name, durable=True)
            for key in keys:
                await queue.bind(exchange, key)
        return cls(connection, channel, exchange)

    async def publish(self, key: RoutingKey, vote: Vote) -> None:
        """Publish persistently and wait until RabbitMQ has confirmed it."""
        message = aio_pika.Message(
            msgspec.json.encode(vote),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._exchange.publish(message, key)

    async def consume(self, name: Queue, *, size_max: int, linger_s: float) -> Inbox:
        """Begin to consume a queue in batches of at most `size_max`."""
        await self._channel.set_qos(prefetch_count=PREFETCH)
        inbox = Inbox(size_max, linger_s)
        queue = await self._channel.get_queue(name)
        await queue.consume(inbox.put)
        return inbox

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.close()


def decode(batch: Sequence[AbstractIncomingMessage]) -> list[Vote]:
    """Decode a batch; raises msgspec.DecodeError."""
    return [msgspec.json.decode(message.body, type=Vote) for message in batch]


async def acknowledge(batch: Sequence[AbstractIncomingMessage]) -> None:
    """Acknowledge a batch, in one frame; of a longer one, all before it as well."""
    await batch[-1].ack(multiple=len(batch) > 1)
