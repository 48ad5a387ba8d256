"""What goes wrong between here and a bucket, in one line: the address, what is wrong, and the remedy."""

from __future__ import annotations

import re

from loxo.storage.connection import CONNECTION_FILE

__all__ = ["StorageError", "explained"]


class StorageError(OSError):
    """A file or a listing that cannot be had: one line with the address, what is wrong, and the remedy.

    Args:
        passing: whether it may go well another time, with nothing changed.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


FINAL = (
    (
        "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        f"the keys are wrong or have expired; check them in {CONNECTION_FILE}",
    ),
    (r"169\.254\.", f"there are no keys; write them to {CONNECTION_FILE}, or read public buckets with --anonymous"),
    ("NoSuchBucket", "there is no such bucket; check its name and the endpoint"),
    (
        "PermanentRedirect|AuthorizationHeaderMalformed|status code: 30|edirect",
        f"it lies in another region; set region_name in {CONNECTION_FILE}",
    ),
    ("status code: 40[13]", f"access is denied; check the keys in {CONNECTION_FILE}, or read public buckets with --anonymous"),
    ("NotSupported|status code: 416|received status 200", "the server gives no parts of files; fetch the file and give its path"),
    ("status code: 404|not found", "not there; check the address"),
)
"""Failures that no repetition mends, by the words of S3 and of obstore; the first that fits."""
PASSING = (
    ("kind: Timeout|TimedOut|timed out", "no answer in time; the network or the server is too slow, try again later"),
    ("kind: Connect|dns error|onnection refused", "cannot be reached; check the network and the endpoint"),
    (r"status code: (429|5\d\d)", "the server is too busy; try again later"),
)
"""Failures that pass; of others, the connection broke off."""


def explained(url: str, error: BaseException) -> StorageError:
    """One line for what obstore says in many, in words that are known here: its own may hold parts of a signed request."""
    if isinstance(error, OSError) and error.strerror:
        return StorageError(f"{url}: {error.strerror}; check that it is there and may be read")
    text = f"{type(error).__name__} {error}"
    for expression, meaning in FINAL:
        if re.search(expression, text):
            return StorageError(f"{url}: {meaning}")
    broken = "the connection broke off; check the network, and try again later"
    meaning = next((meaning for expression, meaning in PASSING if re.search(expression, text)), broken)
    return StorageError(f"{url}: {meaning}", passing=True)
