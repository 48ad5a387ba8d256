"""How S3 is reached, and how patiently: the connection file, or the environment. Keys are never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

__all__ = ["CONNECTION_FILE", "ENDPOINT", "REGION", "Connection", "Patience", "read_connection"]

CONNECTION_FILE = Path("config/connection_config.yaml")
"""Where the connection is looked for, from the folder in which a command runs; git ignores it."""
REGION = re.compile(r"[a-z0-9-]+")
ENDPOINT = re.compile(r"https?://([\w.-]+|\[[\da-f:.]+\])(:\d+)?(/[\w./~-]*)?", re.ASCII | re.IGNORECASE)
"""What of these can stand in an address: obstore ends in a panic on others. There is no room for a password."""


class Connection(BaseModel):
    """How S3 is reached; without keys, by the usual AWS environment variables."""

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
            raise ValueError("aws_access_key_id and aws_secret_access_key come together; give both or none")
        if self.anonymous and self.aws_access_key_id is not None:
            raise ValueError("anonymous: true reads without keys; leave out the keys, or anonymous")
        if self.region_name is not None and not REGION.fullmatch(self.region_name):
            raise ValueError("region_name: a name as us-west-2 is expected")
        if self.endpoint_url is not None and not ENDPOINT.fullmatch(self.endpoint_url):
            raise ValueError("endpoint_url: an address as https://host:port is expected")
        return self


def read_connection(path: Path | None = None, *, anonymous: bool = False) -> Connection:
    """The connection of a file, or of `CONNECTION_FILE` if it is there, or that of the environment.

    Args:
        anonymous: read public buckets without keys, whatever keys there are.

    Raises:
        ValueError: if the file is missing though it was named, is not YAML, or a key is unknown or wrong.
    """
    named = path or CONNECTION_FILE
    if path is None and not named.is_file():
        return Connection(anonymous=anonymous)
    try:
        content = yaml.safe_load(named.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ValueError(f"{named}: {error.strerror}; write it as config/connection_config.example.yaml shows") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser's own words would repeat a line of the file, which may hold a key.
        raise ValueError(f"{named}: not YAML; write it as config/connection_config.example.yaml shows") from None
    if not isinstance(content, dict):
        raise ValueError(  # noqa: TRY004 what users can mend is a ValueError
            f"{named}: lines as `region_name: us-west-2` are expected; see config/connection_config.example.yaml"
        )
    if anonymous:
        secrets = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
        content = {key: value for key, value in content.items() if key not in secrets} | {"anonymous": True}
    try:
        return Connection.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{named}: {place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}") from None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, and how often is tried.

    Args:
        attempts: of a request, the first included.
        first_wait_s: before the second attempt; doubled before each further one, up to `longest_wait_s`.
        timeout_s: without a byte of the answer.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
