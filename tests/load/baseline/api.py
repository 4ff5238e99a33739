"""The ingestion API: checks the form, hashes, publishes, answers 202: `python -m …baseline.api`."""

import hashlib
import time
from typing import Annotated, Literal
from uuid import uuid4

import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, StringConstraints

from tests.load.baseline.broker import Broker, Vote
from tests.load.baseline.ledger import Ledger
from tests.load.baseline.settings import Settings, from_env


class Ballot(BaseModel):
    """What a voter sends."""

    nas: Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{6,32}$")]
    law_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,50}$")]
    vote: Literal["oui", "non"]


class Ingestion:
    """The API's routes."""

    def __init__(self, broker: Broker, ledger: Ledger) -> None:
        self._broker = broker
        self._ledger = ledger

    def app(self) -> FastAPI:
        """Return the application."""
        app = FastAPI()
        app.add_api_route("/api/v1/vote", self.vote, methods=["POST"])
        app.add_api_route("/api/v1/health", self.health)
        app.add_api_route("/api/v1/results/{law_id}", self.results)
        app.add_exception_handler(RequestValidationError, _bad_request)
        return app

    async def vote(self, ballot: Ballot) -> JSONResponse:
        """Answer 202 once RabbitMQ has the vote; whether it counts is found out later."""
        said = f"{ballot.nas}|{ballot.code}|{ballot.law_id}".encode()
        ballot_hash = hashlib.sha256(said).hexdigest()
        vote = Vote(ballot_hash, ballot.law_id, ballot.vote, time.time())
        await self._broker.publish("vote.submitted", vote)
        return JSONResponse({"request_id": str(uuid4())}, status_code=202)

    async def health(self) -> JSONResponse:
        """Answer while the process lives."""
        return JSONResponse({"status": "ok"})

    async def results(self, law_id: str) -> JSONResponse:
        """Answer with the count in PostgreSQL."""
        tally = await self._ledger.tally(law_id)
        return JSONResponse({"law_id": law_id, **tally._asdict()})


async def _bad_request(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "Bad Request"}, status_code=400)


async def serve(settings: Settings) -> None:
    """Serve until told to end."""
    broker = await Broker.connect(settings.amqp_url)
    ledger = await Ledger.connect(settings.postgres_url)
    config = uvicorn.Config(
        Ingestion(broker, ledger).app(),
        port=settings.http_port,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        await ledger.aclose()
        await broker.aclose()


if __name__ == "__main__":
    uvloop.run(serve(from_env()))
