"""Read the connection to S3 from a file or the environment, and define how often to retry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

__all__ = ["CONNECTION_FILE", "ENDPOINT", "REGION", "Connection", "RetryPolicy", "read_connection"]

CONNECTION_FILE = Path("config/connection_config.yaml")
"""Default connection file, relative to the working folder; git ignores it."""
REGION = re.compile(r"[a-z0-9-]+")
ENDPOINT = re.compile(
    r"https?://([\w.-]+|\[[\da-f:.]+\])(:\d+)?(/[\w./~-]*)?", re.ASCII | re.IGNORECASE
)
"""Names that may stand in an address. obstore panics on others. A password does not match."""


class Connection(BaseModel):
    """A connection to S3; without keys, the usual AWS environment variables are used."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    service_name: Literal["s3"] = "s3"
    region_name: str | None = None
    aws_access_key_id: SecretStr | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    endpoint_url: str | None = None
    anonymous: bool = False

    @model_validator(mode="after")
    def consistent(self) -> Self:
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError(
                "aws_access_key_id and aws_secret_access_key come together; give both or none"
            )
        if self.anonymous and self.aws_access_key_id is not None:
            raise ValueError("anonymous: true reads without keys; leave out the keys, or anonymous")
        if self.region_name is not None and not REGION.fullmatch(self.region_name):
            raise ValueError("region_name: a name as us-west-2 is expected")
        if self.endpoint_url is not None and not ENDPOINT.fullmatch(self.endpoint_url):
            raise ValueError("endpoint_url: an address as https://host:port is expected")
        return self


def read_connection(path: Path | None = None, *, anonymous: bool = False) -> Connection:
    """Read a connection from a file, from `CONNECTION_FILE` if it exists, or from the environment.

    Args:
        path: a connection file; None takes `CONNECTION_FILE` where that exists.
        anonymous: read public buckets without keys, even where keys are known.

    Raises:
        ValueError: if a named file is missing, is not YAML, or holds an unknown or wrong key.
    """
    named = path or CONNECTION_FILE
    if path is None and not named.is_file():
        return Connection(anonymous=anonymous)
    try:
        content = yaml.safe_load(named.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ValueError(
            f"{named}: {error.strerror}; write it as config/connection_config.example.yaml shows"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser's message would repeat a line of the file, which may hold a key.
        raise ValueError(
            f"{named}: not YAML; write it as config/connection_config.example.yaml shows"
        ) from None
    if not isinstance(content, dict):
        raise ValueError(  # noqa: TRY004 the command line shows a ValueError as one line
            f"{named}: lines such as `region_name: us-west-2` are expected; "
            "see config/connection_config.example.yaml"
        )
    if anonymous:
        secrets = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
        content = {key: value for key, value in content.items() if key not in secrets} | {
            "anonymous": True
        }
    try:
        return Connection.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{named}: {place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is repeated, and how long to wait.

    Args:
        attempts: attempts of a request, the first included.
        first_wait_s: wait before the second attempt; it doubles with each further attempt.
        longest_wait_s: longest wait between two attempts.
        timeout_s: longest time without a byte of the answer.
        connect_timeout_s: longest time until a connection is made.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
