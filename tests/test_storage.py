"""A file is the old one or the new one, whatever happens in between; and bytes are the same wherever a file lies, whatever networks do."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from loxo.storage import CONNECTION_FILE, Connection, Storage, StorageError, files_below, read_connection, replacing
from s3_fixtures import KEY_ID, QUICK, SECRET, FaultProxy, S3Server

pytest_plugins = ("s3_fixtures",)


def test_what_is_written_appears_at_the_end_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with replacing(path) as passing:
        assert passing.parent == path.parent  # a rename across file systems would be a copy
        assert passing.name.startswith(".")
        passing.write_text("half")
        assert path.read_text() == "old"
        passing.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path) -> None:
    with replacing(path) as passing:
        passing.write_text("half")
        raise OSError("disk full")


def test_writing_nothing_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    killed = """
import os, pathlib, sys
from loxo.storage import replacing
with replacing(pathlib.Path(sys.argv[1])) as passing:
    passing.write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"


# ---- the connection


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_five_keys_of_a_connection_file_are_read(tmp_path: Path) -> None:
    text = (
        "service_name: s3\nregion_name: us-west-2\naws_access_key_id: AKID\naws_secret_access_key: hush\nendpoint_url: http://127.0.0.1:9\n"
    )
    connection = read_connection(written(tmp_path / "connection.yaml", text))
    assert (connection.service_name, connection.region_name, connection.endpoint_url) == ("s3", "us-west-2", "http://127.0.0.1:9")
    assert connection.aws_access_key_id is not None
    assert connection.aws_access_key_id.get_secret_value() == "AKID"
    assert "hush" not in repr(connection) + str(connection)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("region: us-west-2", "region: Extra inputs are not permitted"),
        ("service_name: ftp", "service_name: Input should be 's3'"),
        ("aws_access_key_id: AKID", "come together"),
        ("anonymous: true\naws_access_key_id: A\naws_secret_access_key: hush", "leave out the keys"),
        ("endpoint_url: here", "endpoint_url"),
        ("aws_secret_access_key: [hush", "not YAML"),
        ("hush", "lines as"),
        ("aws_secret_access_key: [hush]", "aws_secret_access_key: Input should be a valid string"),
    ],
)
def test_a_wrong_connection_file_is_one_line_without_secrets(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path / "connection.yaml", text)
    with pytest.raises(ValueError, match=told) as error:
        read_connection(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert "hush" not in str(error.value)


def test_a_connection_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_connection(tmp_path / "none.yaml")
    monkeypatch.chdir(tmp_path)
    assert read_connection() == Connection()
    (tmp_path / CONNECTION_FILE).parent.mkdir()
    written(CONNECTION_FILE, "region_name: eu-west-1")
    assert read_connection() == Connection(region_name="eu-west-1")


def test_anonymous_leaves_the_keys_of_the_file_out(tmp_path: Path) -> None:
    path = written(tmp_path / "c.yaml", "aws_access_key_id: A\naws_secret_access_key: b\nregion_name: us-west-2")
    assert read_connection(path, anonymous=True) == Connection(region_name="us-west-2", anonymous=True)


def test_the_example_is_a_connection() -> None:
    example = Path(__file__).parents[1] / "config" / "connection_config.example.yaml"
    assert read_connection(example).region_name == "us-west-2"


# ---- addresses on a disk


def names_at(storage: Storage, address: str | Path, *suffixes: str) -> list[str]:
    return [file.name for file in storage.find(address, suffixes)]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    for name in ("a/x.wav", "a/b/y.WAV", "a/._x.wav", "a/notes.txt", ".hidden/z.wav", "a b#1%41/ä.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def test_a_folder_means_the_files_below_it(disk: Path) -> None:
    assert names_at(Storage(), disk, ".wav") == ["y.WAV", "x.wav", "ä.wav"]
    assert names_at(Storage(), disk / "a" / "notes.txt", ".wav") == ["notes.txt"]
    assert names_at(Storage(), f"file://{disk}/a", ".txt") == ["notes.txt"]
    assert set(files_below(disk, [".wav"])) == {Path(file.url) for file in Storage().find(disk, [".wav"])}


def test_a_glob_stays_within_a_name_and_two_stars_go_through_folders(disk: Path) -> None:
    assert names_at(Storage(), disk / "a" / "*", ".wav") == ["x.wav"]
    assert names_at(Storage(), f"{disk}/**/*.[wW]*") == ["y.WAV", "x.wav", "ä.wav"]
    assert names_at(Storage(), f"{disk}/a/?.wav") == ["x.wav"]


def test_a_file_on_the_disk_is_read_by_ranges(disk: Path) -> None:
    storage = Storage()
    file = storage.file(disk / "a b#1%41" / "ä.wav")
    content = "a b#1%41/ä.wav".encode()
    assert (file.size, file.name, file.path) == (len(content), "ä.wav", disk / "a b#1%41" / "ä.wav")
    assert file.read_ranges([(3, 5), (0, 2), (4, 4)]) == [content[3:5], content[:2], b""]
    assert b"".join(file.stream()) == content
    assert storage.bytes_fetched == 4 + len(content)
    with pytest.raises(ValueError, match="not within 0 to"):
        file.read(0, file.size + 1)


def test_a_file_has_another_version_when_it_changes(disk: Path) -> None:
    path = disk / "a" / "x.wav"
    before = Storage().file(path)
    os.utime(path, ns=(1, 1))
    assert Storage().file(path).version != before.version


@pytest.mark.parametrize("address", ["nowhere", "nowhere/*.wav", "ftp://host/x.wav", "s3://", "http://"])
def test_an_address_without_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError) as error:
        list(Storage().find(address))
    one_line(error, address)


def one_line(error: pytest.ExceptionInfo[BaseException], *parts: str) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert SECRET not in message
    assert KEY_ID not in message
    for part in parts:
        assert part in message
    return message


# ---- S3

BUCKET = "elephants-8khz"
KEYS = [
    "recordings/wav/nn01a/nn01a_20171229_000000.wav",
    "recordings/wav/nn01b/nn01b_20180102_000000.WAV",
    "recordings/wav/nn01a/a b#1.txt",
]
CONTENT = np.random.default_rng(5).integers(0, 256, 300_000, dtype=np.uint8).tobytes()


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    s3_server.make_bucket(BUCKET)
    for key in [*KEYS, "recordings/wavelets/x.wav", "recordings/wav/.hidden.wav"]:
        s3_server.put(BUCKET, key, CONTENT)
    return f"s3://{BUCKET}"


def test_a_prefix_means_a_folder_and_is_listed_without_asking_for_each(bucket: str, fault_proxy: FaultProxy) -> None:
    found = list(fault_proxy.storage.find(f"{bucket}/recordings/wav", [".wav"]))
    assert [file.url for file in found] == [f"{bucket}/{key}" for key in KEYS[:2]]
    assert {file.size for file in found} == {len(CONTENT)}
    assert len({file.version for file in found}) == 1  # of one content
    assert fault_proxy.counts()["requests"] == {"GET": 1}


def test_globs_work_on_keys(bucket: str, s3_server: S3Server) -> None:
    assert names_at(s3_server.storage, f"{bucket}/recordings/wav/nn01?/*_2018*") == ["nn01b_20180102_000000.WAV"]
    assert len(names_at(s3_server.storage, f"{bucket}/**/*.txt")) == 1
    assert names_at(s3_server.storage, f"{bucket}/{KEYS[2]}") == ["a b#1.txt"]
    assert len(names_at(s3_server.storage, bucket)) == 4


def test_a_listing_of_several_answers_is_whole(s3_server: S3Server, fault_proxy: FaultProxy) -> None:
    s3_server.make_bucket("many-objects")
    client = s3_server.client
    for number in range(1100):
        client.put_object(Bucket="many-objects", Key=f"r/{number:05d}.wav", Body=b"")
    wanted = [f"{number:05d}.wav" for number in range(1100)]
    assert names_at(s3_server.storage, "s3://many-objects/r", ".wav") == wanted
    fault_proxy.fault("truncate", every=2)  # the second of two pages, which alone is asked for again
    assert names_at(fault_proxy.storage, "s3://many-objects/r", ".wav") == wanted
    assert fault_proxy.counts()["requests"]["GET"] == 3


def test_ranges_come_as_asked_for(bucket: str, fault_proxy: FaultProxy) -> None:
    storage = fault_proxy.storage
    file = storage.file(f"{bucket}/{KEYS[0]}")
    ranges = [(200_000, 200_100), (0, 1), (299_999, 300_000), (5, 5)]
    assert file.read_ranges(ranges) == [CONTENT[start:stop] for start, stop in ranges]
    assert storage.bytes_fetched == fault_proxy.counts()["body_bytes"] == 102
    assert b"".join(file.stream()) == CONTENT
    assert storage.restore(file.url, file.size, file.version) == file


def test_what_is_written_is_found(bucket: str, s3_server: S3Server, tmp_path: Path) -> None:
    for address in (f"{bucket}/tables/out.txt", tmp_path / "new" / "out.txt"):
        s3_server.storage.write(address, b"content")
        file = s3_server.storage.file(address)
        assert file.read(0, file.size) == b"content"
    with pytest.raises(StorageError, match="web server"):
        s3_server.storage.write("http://127.0.0.1/x", b"")


STEPS = st.lists(st.tuples(st.sampled_from(["seek", "read", "end"]), st.integers(0, 310_000) | st.integers(0, 200)), max_size=25)


@settings(max_examples=25)
@given(STEPS)
def test_a_remote_file_reads_as_one_in_memory(bucket: str, s3_server: S3Server, steps: list[tuple[str, int]]) -> None:
    memory = io.BytesIO(CONTENT)
    with s3_server.storage.file(f"{bucket}/{KEYS[0]}").open() as remote:
        for step, number in steps:
            if step == "read":
                assert remote.read(number) == memory.read(number)
            elif step == "seek":
                assert remote.seek(number) == memory.seek(number)
            else:
                assert remote.seek(-min(number, 300_000), os.SEEK_END) == memory.seek(-min(number, 300_000), os.SEEK_END)
            assert remote.tell() == memory.tell()
        assert remote.read() == memory.read()


def test_a_header_costs_kilobytes_and_a_large_read_just_its_bytes(bucket: str, fault_proxy: FaultProxy) -> None:
    file = fault_proxy.storage.file(f"{bucket}/{KEYS[0]}")
    with file.open() as remote:
        for _ in range(10):
            remote.read(8)
        assert fault_proxy.counts()["body_bytes"] == 4096
        remote.seek(100_000)
        remote.read(150_000)
    assert fault_proxy.counts()["body_bytes"] == 4096 + 150_000
    assert fault_proxy.counts()["requests"]["GET"] == 2


def test_reading_on_and_on_costs_few_requests(bucket: str, fault_proxy: FaultProxy) -> None:
    with fault_proxy.storage.file(f"{bucket}/{KEYS[0]}").open() as remote:
        assert b"".join(iter(lambda: remote.read(1000), b"")) == CONTENT
    counts = fault_proxy.counts()
    assert counts["body_bytes"] == len(CONTENT)
    assert counts["requests"]["GET"] <= 8


# ---- what networks do


@pytest.mark.parametrize("kind", ["drop", "truncate", "status", "stall"])
def test_a_failure_that_passes_is_not_noticed(bucket: str, fault_proxy: FaultProxy, kind: str) -> None:
    storage = Storage(fault_proxy.connection, patience=replace(QUICK, timeout_s=0.5))
    file = storage.file(f"{bucket}/{KEYS[0]}")
    fault_proxy.fault(kind, times=2, seconds=2.0)
    assert file.read(1000, 90_000) == CONTENT[1000:90_000]
    assert fault_proxy.counts()["faults"] == 2
    assert storage.bytes_fetched == 89_000


def test_a_listing_is_repeated_too(bucket: str, fault_proxy: FaultProxy) -> None:
    fault_proxy.fault("status", times=2)
    assert len(list(fault_proxy.storage.find(f"{bucket}/recordings", [".txt"]))) == 1


def test_a_stream_goes_on_where_it_was(s3_server: S3Server, fault_proxy: FaultProxy) -> None:
    large = CONTENT * 30
    s3_server.make_bucket("streams")
    s3_server.put("streams", "large.flac", large)
    file = fault_proxy.storage.file("s3://streams/large.flac")
    fault_proxy.fault("truncate", every=2)
    assert b"".join(file.stream()) == large
    assert fault_proxy.counts()["faults"] >= 1


FAULTS = {
    "too busy": {"kind": "status", "status": 503, "code": "SlowDown"},
    "keys are wrong": {"kind": "status", "status": 403, "code": "InvalidAccessKeyId"},
    "keys are wrong or": {"kind": "status", "status": 403, "code": "SignatureDoesNotMatch"},
    "access is denied": {"kind": "status", "status": 403, "code": "AccessDenied"},
    "another region": {"kind": "status", "status": 301, "code": "PermanentRedirect"},
    "connection broke off": {"kind": "truncate"},
    "no answer in time": {"kind": "slow", "seconds": 1.0},
}


@pytest.mark.parametrize("told", FAULTS)
def test_a_failure_that_lasts_is_one_line(bucket: str, fault_proxy: FaultProxy, told: str) -> None:
    storage = Storage(fault_proxy.connection, patience=replace(QUICK, attempts=2, timeout_s=0.3))
    file = storage.file(f"{bucket}/{KEYS[0]}")
    fault_proxy.fault(times=99, **FAULTS[told])  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=told) as error:
        file.read(0, 1000)
    one_line(error, file.url)
    passing = told in {"too busy", "connection broke off", "no answer in time"}
    assert error.value.passing is passing
    assert fault_proxy.counts()["faults"] == (2 if passing else 1)


def test_what_is_not_there_is_told_at_once(bucket: str, fault_proxy: FaultProxy) -> None:
    storage = fault_proxy.storage
    with pytest.raises(StorageError, match="not there") as error:
        storage.file(f"{bucket}/none.wav")
    one_line(error, f"{bucket}/none.wav")
    with pytest.raises(StorageError, match="no such bucket") as error:
        list(storage.find("s3://no-bucket-of-this-name/recordings"))
    one_line(error, "s3://no-bucket-of-this-name")
    with pytest.raises(StorageError, match=r"nothing there in \.wav"):
        list(storage.find(f"{bucket}/recordings/wav/nn01a/*.mp3", [".wav"]))


def test_a_server_that_is_not_there_is_told() -> None:
    connection = Connection(endpoint_url="http://127.0.0.1:1", aws_access_key_id=SecretStr(KEY_ID), aws_secret_access_key=SecretStr(SECRET))
    with pytest.raises(StorageError, match="cannot be reached") as error:
        list(Storage(connection, patience=replace(QUICK, attempts=2)).find("s3://bucket/x"))
    one_line(error, "s3://bucket/x")


def test_public_buckets_are_read_without_keys(s3_server: S3Server) -> None:
    s3_server.make_bucket("public-recordings", public=True)
    s3_server.put("public-recordings", "a.wav", b"sound")
    anonymous = Storage(Connection(endpoint_url=s3_server.url, region_name="us-west-2", anonymous=True), patience=QUICK)
    (file,) = anonymous.find("s3://public-recordings", [".wav"])
    assert file.read(0, 5) == b"sound"


def test_the_environment_is_a_connection(bucket: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"ENDPOINT_URL": s3_server.url, "REGION": "us-west-2", "ACCESS_KEY_ID": KEY_ID, "SECRET_ACCESS_KEY": SECRET}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    assert Storage(patience=QUICK).file(f"{bucket}/{KEYS[0]}").size == len(CONTENT)


# ---- the web


def test_a_file_on_a_web_server_is_read_by_ranges(s3_server: S3Server) -> None:
    s3_server.make_bucket("on-the-web", public=True)
    s3_server.put("on-the-web", "a b.wav", CONTENT)
    (file,) = Storage(patience=QUICK).find(f"{s3_server.url}/on-the-web/a%20b.wav", [".wav"])
    assert (file.name, file.size, file.path) == ("a b.wav", len(CONTENT), None)
    assert file.read(7, 9000) == CONTENT[7:9000]
    with pytest.raises(StorageError, match="cannot be listed"):
        list(Storage().find(f"{s3_server.url}/on-the-web/*.wav"))
