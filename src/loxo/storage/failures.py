"""Explain failures of object stores on one line: the address, what is wrong, and the remedy."""

from __future__ import annotations

import re

from loxo.storage.connection import CONNECTION_FILE

__all__ = ["StorageError", "explained"]

SAYS = re.compile(
    r"<Code>(\w+)|status code: (\d+)|\b(?:kind|inner|source): (\w+)"
    r"|(InvalidCertificate)|(Could not parse path)"
    r"|Error performing [A-Z]+ http://(169\.254\.\d+\.\d+|[^/]+/latest/(?:api|meta-data))"
)
"""Parts of an obstore message that classify a failure: codes of S3 and HTTP, obstore's own kinds of
error, and the address at which cloud machines ask for keys. The rest of a message holds file names,
which may be any words, and parts of a signed request."""
FINAL = (
    (
        "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        f"the keys are wrong or have expired; check them in {CONNECTION_FILE}",
    ),
    ("RequestTimeTooSkewed", "the clock of this computer is wrong; set it"),
    (
        r"169\.254\.|/latest/",
        (
            f"there are no keys; write them to {CONNECTION_FILE}, "
            "or read public buckets with --anonymous"
        ),
    ),
    ("NoSuchBucket", "there is no such bucket; check its name and the endpoint"),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|BareRedirect|\b30\d",
        f"it lies in another region; set region_name in {CONNECTION_FILE}",
    ),
    (
        r"\b40[13]\b",
        (
            f"access is denied; check the keys in {CONNECTION_FILE}, "
            "or read public buckets with --anonymous"
        ),
    ),
    (
        "NotSupported|NotPartial",
        "the server does not send parts of files; download the file and give its path",
    ),
    (r"\b416\b", "shorter than it was when it was listed; list it again"),
    (r"\b404\b", "not there; check the address"),
    (
        "InvalidPath|Could not parse path",
        (
            "a key must not hold an empty name, `.` or `..` between slashes; rename the object, "
            "or give another prefix"
        ),
    ),
    (
        "InvalidCertificate",
        (
            "the server's certificate is not trusted; check the endpoint and the clock of this "
            "computer"
        ),
    ),
)
"""Failures that a retry does not mend, as (pattern, explanation); the first match counts."""
TRANSIENT = (
    (r"\b(408|429|5\d\d)\b|RequestTimeout", "the server is too busy; try again later"),
    (
        "Timeout|TimedOut",
        "no answer in time; the network or the server is too slow, try again later",
    ),
    (r"\bConnect\b", "cannot be reached; check the network and the endpoint"),
    (
        r"\b(Request|Interrupted|Body|Decode)\b",
        "the connection broke off; check the network, and try again later",
    ),
)
"""Failures that a retry may mend, as (pattern, explanation)."""


class StorageError(OSError):
    """A file or a listing that cannot be reached; one line with address, reason and remedy.

    Args:
        transient: whether a later attempt may succeed with nothing changed.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def explained(url: str, error: BaseException) -> StorageError:
    """Turn an error of obstore into a `StorageError` of one line."""
    said = [next(filter(None, match.groups())) for match in SAYS.finditer(str(error))]
    text = " ".join([type(error).__name__, *said])
    for failures, transient in ((FINAL, False), (TRANSIENT, True)):
        for expression, meaning in failures:
            if re.search(expression, text):
                return StorageError(f"{url}: {meaning}", transient=transient)
    words = " ".join(
        word
        for word in dict.fromkeys([*said, type(error).__name__])
        if word not in {"RetryError", "Status"}
    )
    return StorageError(
        f"{url}: the server's answer is not understood ({words}); "
        "check the address and the endpoint"
    )
