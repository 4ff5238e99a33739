"""Errors in the shape that ClickHouse's HTTP interface gives them: code, name, text, status."""

import re

_ENGINE_TEXT = re.compile(r"Code: (\d+)\. (DB::Exception: .*)", re.DOTALL)
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*(?:\(version [^)]*\)\s*)?$")
_VERSION = re.compile(r"\s*\(version [^)]*\)\s*$")

# By name, as the server's own table has it; whatever is missing is a 500.
_BAD_REQUEST = """
    BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE
    CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER
    CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6
    CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN ILLEGAL_COLUMN
    UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST
    UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH
    VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
"""
_NOT_FOUND = """
    UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE
    UNKNOWN_DATABASE UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION
    UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE
"""
_STATUS = {
    **dict.fromkeys(_BAD_REQUEST.split(), 400),
    "REQUIRED_PASSWORD": 401,
    **dict.fromkeys(("UNKNOWN_USER", "WRONG_PASSWORD", "AUTHENTICATION_FAILED"), 403),
    **dict.fromkeys(("SET_NON_GRANTED_ROLE", "ACCESS_DENIED"), 403),
    **dict.fromkeys(_NOT_FOUND.split(), 404),
    "TIMEOUT_EXCEEDED": 408,
    "QUERY_IS_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "NOT_IMPLEMENTED": 501,
    **dict.fromkeys(("SOCKET_TIMEOUT", "CANNOT_OPEN_FILE", "CANNOT_SCHEDULE_TASK"), 503),
}


class Fault(Exception):
    """An answer other than success: `code` and `name` are ClickHouse's own."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.name = name
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status that a ClickHouse server gives with this error."""
        return _STATUS.get(self.name, 500)

    def body(self, version: str) -> str:
        """Write the error as a ClickHouse server of `version` does in an answer's body."""
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.name}) (version {version})\n"


def fault_from_engine(error: Exception) -> Fault:
    """Read the code and name that chdb leaves in its exceptions' text."""
    text = _VERSION.sub("", str(error))
    found, name = _ENGINE_TEXT.search(text), _NAME.search(text)
    if found is None or name is None:
        return Fault(1002, "UNKNOWN_EXCEPTION", text)
    message = found[2].removeprefix("DB::Exception: ")
    return Fault(int(found[1]), name[1], message[: message.rindex(f"({name[1]})")].rstrip())


def not_implemented(text: str) -> Fault:
    """Say what the local engine does not do, though a ClickHouse server would."""
    return Fault(48, "NOT_IMPLEMENTED", text)
