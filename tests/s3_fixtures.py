"""A real S3 server on loopback, and a proxy in front of it that makes faults: processes, started
once and ended with the tests.

A test module takes part with `pytest_plugins = ("s3_fixtures",)`; pytest would rewrite a plugin
before it is imported, hence PYTEST_DONT_REWRITE. The server is moto's standalone one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import SecretStr

from loxo.storage import Connection, RetryPolicy, Storage

__all__ = ["KEY_ID", "QUICK", "SECRET", "FaultProxy", "S3Server", "fault_proxy", "s3_server"]

KEY_ID, SECRET = "AKIDEXAMPLEOFLOXO", "secret-that-no-message-may-hold"
REGION = "us-west-2"
QUICK = RetryPolicy(
    attempts=4, first_wait_s=0.005, longest_wait_s=0.02, timeout_s=5.0, connect_timeout_s=2.0
)
TRIES = 600


def connection_to(url: str) -> Connection:
    return Connection(
        region_name=REGION,
        aws_access_key_id=SecretStr(KEY_ID),
        aws_secret_access_key=SecretStr(SECRET),
        endpoint_url=url,
    )


@dataclass(frozen=True)
class S3Server:
    url: str

    @property
    def connection(self) -> Connection:
        return connection_to(self.url)

    @property
    def storage(self) -> Storage:
        return Storage(self.connection, retry_policy=QUICK)

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )

    def make_bucket(self, name: str, *, public: bool = False) -> None:
        self.client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        if public:
            statement = {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
            }
            self.client.put_bucket_policy(
                Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            )

    def put(self, bucket: str, key: str, content: bytes | Path) -> None:
        body = content.read_bytes() if isinstance(content, Path) else content
        self.client.put_object(Bucket=bucket, Key=key, Body=body)


@dataclass(frozen=True)
class FaultProxy:
    url: str

    @property
    def connection(self) -> Connection:
        return connection_to(self.url)

    @property
    def storage(self) -> Storage:
        return Storage(self.connection, retry_policy=QUICK)

    def fault(self, kind: str, **how: object) -> None:
        """Queue a fault: `drop`, `truncate`, `stall`, `slow`, `trickle` or `status`, with the
        fields of `fault_proxy.Fault`."""
        self._ask("POST", "/__faults", json.dumps({"kind": kind, **how}).encode())

    def counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = self._ask("GET", "/__counts")
        return counts

    def clear(self) -> None:
        self._ask("DELETE", "/__faults")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.url + path, data=body, method=method)  # noqa: S310 loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        server = S3Server(f"http://127.0.0.1:{port}")
        for _ in range(TRIES):
            try:
                urllib.request.urlopen(f"{server.url}/moto-api/", timeout=5).close()  # noqa: S310 loopback
                break
            except OSError:
                assert process.poll() is None, "the S3 server ended"
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def _proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    command = [sys.executable, str(Path(__file__).with_name("fault_proxy.py")), s3_server.url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield FaultProxy(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def fault_proxy(_proxy: FaultProxy) -> Iterator[FaultProxy]:
    _proxy.clear()
    yield _proxy
    _proxy.clear()
