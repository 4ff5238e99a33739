"""The aggregation service: `python -m tests.load.baseline.aggregator`."""

import uvloop

from tests.load.baseline.broker import Broker, acknowledge, decode
from tests.load.baseline.ledger import Ledger
from tests.load.baseline.settings import Settings, from_env

BATCH_MAX = 100
LINGER_S = 0.1


async def aggregate(settings: Settings) -> None:
    """Count accepted votes, a hundred to a transaction, until told to end."""
    broker = await Broker.connect(settings.amqp_url)
    ledger = await Ledger.connect(settings.postgres_url)
    inbox = await broker.consume("votes.aggregation", size_max=BATCH_MAX, linger_s=LINGER_S)
    while True:
        batch = await inbox.take()
        await ledger.count(decode(batch))
        await acknowledge(batch)


if __name__ == "__main__":
    uvloop.run(aggregate(from_env()))
