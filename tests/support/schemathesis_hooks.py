"""What the OpenAPI document can only say in words: a request id given twice is the same."""

from typing import Any
from uuid import UUID

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, object]
) -> None:
    """Give header and body the same request id where both have one."""
    headers: Any = case.headers if case.headers is not None else {}
    body = case.body
    given = body.get("request_id") if isinstance(body, dict) else None
    if _is_uuid(headers.get(KEY)) and _is_uuid(given):
        headers[KEY] = str(given)


def _is_uuid(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(UUID(text))
    except ValueError:
        return False
