"""What goes wrong between here and a bucket, in one line: the address, what is wrong, and the remedy."""

from __future__ import annotations

import re

from loxo.storage.connection import CONNECTION_FILE

__all__ = ["StorageError", "explained"]

SAYS = re.compile(
    r"<Code>(\w+)|status code: (\d+)|\b(?:kind|inner|source): (\w+)|(InvalidCertificate)|(Could not parse path)"
    r"|Error performing [A-Z]+ http://(169\.254\.\d+\.\d+|[^/]+/latest/(?:api|meta-data))"
)
"""What counts of the words of obstore: codes of S3 and of HTTP, its own kinds of error, and the address where machines of a cloud ask for
keys. The rest holds names of files, which may be any words, and parts of a signed request."""
FINAL = (
    (
        "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        f"the keys are wrong or have expired; check them in {CONNECTION_FILE}",
    ),
    ("RequestTimeTooSkewed", "the clock of this computer is wrong; set it"),
    (r"169\.254\.|/latest/", f"there are no keys; write them to {CONNECTION_FILE}, or read public buckets with --anonymous"),
    ("NoSuchBucket", "there is no such bucket; check its name and the endpoint"),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|BareRedirect|\b30\d",
        f"it lies in another region; set region_name in {CONNECTION_FILE}",
    ),
    (r"\b40[13]\b", f"access is denied; check the keys in {CONNECTION_FILE}, or read public buckets with --anonymous"),
    ("NotSupported|NotPartial", "the server gives no parts of files; fetch the file and give its path"),
    (r"\b416\b", "it ends before the bytes that are asked for; it has changed, list it again"),
    (r"\b404\b", "not there; check the address"),
    ("InvalidPath|Could not parse path", "no empty name, `.` or `..` can be between slashes of a key; rename it, or give another prefix"),
    ("InvalidCertificate", "the server's certificate is not trusted; check the endpoint, and the clock of this computer"),
)
"""Failures that no repetition mends; the first that fits."""
PASSING = (
    (r"\b(408|429|5\d\d)\b|RequestTimeout", "the server is too busy; try again later"),
    ("Timeout|TimedOut", "no answer in time; the network or the server is too slow, try again later"),
    (r"\bConnect\b", "cannot be reached; check the network and the endpoint"),
    (r"\b(Request|Interrupted|Body|Decode)\b", "the connection broke off; check the network, and try again later"),
)
"""Failures that pass."""


class StorageError(OSError):
    """A file or a listing that cannot be had: one line with the address, what is wrong, and the remedy.

    Args:
        passing: whether it may go well another time, with nothing changed.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def explained(url: str, error: BaseException) -> StorageError:
    """One line for what obstore says in many."""
    said = [next(filter(None, match.groups())) for match in SAYS.finditer(str(error))]
    text = " ".join([type(error).__name__, *said])
    for failures, passing in ((FINAL, False), (PASSING, True)):
        for expression, meaning in failures:
            if re.search(expression, text):
                return StorageError(f"{url}: {meaning}", passing=passing)
    words = " ".join(word for word in dict.fromkeys([*said, type(error).__name__]) if word not in {"RetryError", "Status"})
    return StorageError(f"{url}: the server's answer is of no use ({words}); check the address and the endpoint")
