"""A file is the old one or the new one, whatever happens in between; and bytes are the same
wherever a file lies, whatever networks do."""

from __future__ import annotations

import fnmatch
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from loxo.storage import (
    CONNECTION_FILE,
    Connection,
    Storage,
    StorageError,
    atomic_write,
    files_below,
    read_connection,
    write_text,
)
from s3_fixtures import KEY_ID, QUICK, SECRET, FaultProxy, S3Server

pytest_plugins = ("s3_fixtures",)


def test_what_is_written_appears_at_the_end_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent  # a rename across file systems would be a copy
        assert temporary.name.startswith(".")
        temporary.write_text("half")
        assert path.read_text() == "old"
        temporary.write_text("new")
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
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        write_text(tmp_path / "nowhere" / "table.txt", "new")


def test_writing_nothing_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(path):
        pass
    assert path.read_text() == "old"


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    killed = """
import os, pathlib, sys
from loxo.storage import atomic_write
with atomic_write(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
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
        "service_name: s3\nregion_name: us-west-2\naws_access_key_id: AKID\n"
        "aws_secret_access_key: hush\nendpoint_url: http://127.0.0.1:9\n"
    )
    connection = read_connection(written(tmp_path / "connection.yaml", text))
    assert (connection.service_name, connection.region_name, connection.endpoint_url) == (
        "s3",
        "us-west-2",
        "http://127.0.0.1:9",
    )
    assert connection.aws_access_key_id is not None
    assert connection.aws_access_key_id.get_secret_value() == "AKID"
    assert "hush" not in repr(connection) + str(connection)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("region: us-west-2", "region: Extra inputs are not permitted"),
        ("service_name: ftp", "service_name: Input should be 's3'"),
        ("aws_access_key_id: AKID", "come together"),
        (
            "anonymous: true\naws_access_key_id: A\naws_secret_access_key: hush",
            "leave out the keys",
        ),
        ("endpoint_url: here", "endpoint_url"),
        ("aws_secret_access_key: [hush", "not YAML"),
        ("hush", "lines such as"),
        ("endpoint_url: http://me:hush@127.0.0.1", "endpoint_url: an address"),
        ("endpoint_url: http://a hush", "endpoint_url: an address"),
        ("region_name: us west", "region_name: a name"),
        ("aws_secret_access_key: [hush]", "aws_secret_access_key: Input should be a valid string"),
    ],
)
def test_a_wrong_connection_file_is_one_line_without_secrets(
    tmp_path: Path, text: str, told: str
) -> None:
    path = written(tmp_path / "connection.yaml", text)
    with pytest.raises(ValueError, match=told) as error:
        read_connection(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert "hush" not in str(error.value)


def test_a_connection_file_that_is_named_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_connection(tmp_path / "none.yaml")
    monkeypatch.chdir(tmp_path)
    assert read_connection() == Connection()
    (tmp_path / CONNECTION_FILE).parent.mkdir()
    written(CONNECTION_FILE, "region_name: eu-west-1")
    assert read_connection() == Connection(region_name="eu-west-1")


def test_anonymous_leaves_the_keys_of_the_file_out(tmp_path: Path) -> None:
    path = written(
        tmp_path / "c.yaml",
        "aws_access_key_id: A\naws_secret_access_key: b\nregion_name: us-west-2",
    )
    assert read_connection(path, anonymous=True) == Connection(
        region_name="us-west-2", anonymous=True
    )


def test_a_connection_that_is_wrong_does_not_tell_its_keys() -> None:
    with pytest.raises(ValueError, match="come together") as error:
        Connection(aws_secret_access_key=SecretStr("hush"))
    assert "hush" not in str(error.value)
    with pytest.raises(ValueError, match="aws_secret_key") as error:
        Connection.model_validate({"aws_secret_key": "hush"})
    assert "hush" not in str(error.value)


def test_the_example_is_a_connection() -> None:
    example = Path(__file__).parents[1] / "config" / "connection_config.example.yaml"
    assert read_connection(example).region_name == "us-west-2"


# ---- addresses on a disk


def names_at(storage: Storage, address: str | Path, *suffixes: str) -> list[str]:
    return [file.name for file in storage.find(address, suffixes)]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    for name in (
        "a/x.wav",
        "a/b/y.WAV",
        "a/._x.wav",
        "a/notes.txt",
        ".hidden/z.wav",
        "a b#1%41/ä.wav",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def test_a_folder_means_the_files_below_it(disk: Path) -> None:
    assert names_at(Storage(), disk, ".wav") == ["y.WAV", "x.wav", "ä.wav"]
    assert names_at(Storage(), disk / "a" / "notes.txt", ".wav") == ["notes.txt"]
    assert names_at(Storage(), f"file://{disk}/a", ".txt") == ["notes.txt"]
    assert set(files_below(disk, [".wav"])) == {
        Path(file.url) for file in Storage().find(disk, [".wav"])
    }


def test_a_glob_stays_within_a_name_and_two_stars_go_through_folders(disk: Path) -> None:
    assert names_at(Storage(), disk / "a" / "*", ".wav") == ["x.wav"]
    assert names_at(Storage(), f"{disk}/**/*.[wW]*") == ["y.WAV", "x.wav", "ä.wav"]
    assert names_at(Storage(), f"{disk}/a/?.wav") == ["x.wav"]


def test_a_file_on_the_disk_is_read_by_ranges(disk: Path) -> None:
    storage = Storage()
    file = storage.file(disk / "a b#1%41" / "ä.wav")
    content = "a b#1%41/ä.wav".encode()
    assert (file.size, file.name, file.path) == (len(content), "ä.wav", disk / "a b#1%41" / "ä.wav")
    ranges = [(3, 5), (0, 2), (4, 4)]
    assert [file.read(*span) for span in ranges] == [content[3:5], content[:2], b""]
    assert b"".join(file.stream()) == content
    assert storage.bytes_fetched == 4 + len(content)
    with pytest.raises(ValueError, match="not within 0 to"):
        file.read(0, file.size + 1)


def test_a_file_has_another_version_when_it_changes(disk: Path) -> None:
    path = disk / "a" / "x.wav"
    before = Storage().file(path)
    os.utime(path, ns=(1, 1))
    assert Storage().file(path).version != before.version


def test_suffixes_are_ends_of_names(disk: Path) -> None:
    (disk / "a" / "x.selections.txt").touch()
    assert names_at(Storage(), disk / "a", ".Selections.TXT") == ["x.selections.txt"]


def test_a_broken_link_ends_no_listing_and_is_told_when_it_is_read(disk: Path) -> None:
    (disk / "a" / "broken.wav").symlink_to(disk / "none.wav")
    found = {file.name: file for file in Storage().find(disk / "a", [".wav"])}
    assert sorted(found) == ["broken.wav", "x.wav", "y.WAV"]
    with pytest.raises(OSError, match="No such file"):
        found["broken.wav"].open()


def test_a_file_on_the_disk_that_became_shorter_is_told_at_once(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", pytest.fail)
    file = Storage().restore(str(disk / "a" / "x.wav"), 100, "before")
    with pytest.raises(StorageError, match="7 of 98 bytes are there") as error:
        file.read(0, 98)
    assert not error.value.transient


@pytest.mark.parametrize(
    "address",
    [
        "nowhere",
        "nowhere/*.wav",
        "nowhere/[z-a].wav",
        "ftp://host/x.wav",
        "s3://",
        "http://",
        "s3://no bucket/x",
        "s3://[/x",
        "http://[/x",
    ],
)
def test_an_address_without_a_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError) as error:
        list(Storage().find(address))
    one_line(error, address)


@pytest.mark.parametrize(
    "address",
    [
        f"https://me:{SECRET}@host/x.wav",
        f"https://host/x.wav?X-Amz-Signature={SECRET}",
        f"s3://me:{SECRET}@b/x",
    ],
)
def test_an_address_with_a_secret_is_refused_without_telling_it(address: str) -> None:
    with pytest.raises(StorageError) as error:
        Storage().file(address)
    one_line(error, "host" if "host" in address else "b")


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
    for key in [
        *KEYS,
        "recordings/wavelets/x.wav",
        "recordings/wav/.hidden.wav",
        "recordings/wav/.trash/x.wav",
    ]:
        s3_server.put(BUCKET, key, CONTENT)
    s3_server.put(BUCKET, "recordings/wav/nn02a/", b"")  # as consoles make it for an empty folder
    return f"s3://{BUCKET}"


def test_a_prefix_means_a_folder_and_is_listed_without_asking_for_each(
    bucket: str, fault_proxy: FaultProxy
) -> None:
    found = list(fault_proxy.storage.find(f"{bucket}/recordings/wav", [".wav"]))
    assert [file.url for file in found] == [f"{bucket}/{key}" for key in KEYS[:2]]
    assert {file.size for file in found} == {len(CONTENT)}
    assert len({file.version for file in found}) == 1  # of one content
    assert fault_proxy.counts()["requests"] == {"GET": 1}


def test_globs_work_on_keys(bucket: str, s3_server: S3Server) -> None:
    assert names_at(s3_server.storage, f"{bucket}/recordings/wav/nn01?/*_2018*") == [
        "nn01b_20180102_000000.WAV"
    ]
    assert len(names_at(s3_server.storage, f"{bucket}/**/*.txt")) == 1
    assert names_at(s3_server.storage, f"{bucket}/{KEYS[2]}") == ["a b#1.txt"]
    assert len(names_at(s3_server.storage, bucket)) == 4
    assert names_at(s3_server.storage, f"{bucket}/recordings/*/nn01[!a]/*") == [
        "nn01b_20180102_000000.WAV"
    ]


def test_a_key_may_hold_what_globs_are_made_of(bucket: str, s3_server: S3Server) -> None:
    s3_server.put(BUCKET, "odd/a [1]?.wav", CONTENT)
    assert names_at(s3_server.storage, f"{bucket}/odd/a [1]?.wav") == ["a [1]?.wav"]
    assert names_at(s3_server.storage, f"{bucket}/odd/* [[]1]*") == ["a [1]?.wav"]
    assert names_at(s3_server.storage, f"{bucket}/odd/a [^!&|[]1][?-A].wav") == ["a [1]?.wav"]


def test_a_key_with_an_empty_name_is_told(s3_server: S3Server, fault_proxy: FaultProxy) -> None:
    s3_server.make_bucket("empty-names")
    s3_server.put("empty-names", "r//x.wav", b"")
    with pytest.raises(StorageError, match="must not hold an empty name") as error:
        list(fault_proxy.storage.find("s3://empty-names"))
    one_line(error, "s3://empty-names")
    assert fault_proxy.counts()["requests"] == {"GET": 1}


@pytest.mark.parametrize("action", ["read", "write"])
def test_a_folder_is_no_file(bucket: str, fault_proxy: FaultProxy, action: str) -> None:
    def write_a_letter(address: str) -> None:
        fault_proxy.storage.write(address, b"x")

    for address in (bucket, f"{bucket}/recordings/"):
        act = fault_proxy.storage.file if action == "read" else write_a_letter
        with pytest.raises(StorageError, match="not a file"):
            act(address)
    assert fault_proxy.counts()["requests"] == {}


NUMBERED = [f"{number:05d}.wav" for number in range(1100)]


@pytest.fixture(scope="module")
def many(s3_server: S3Server) -> str:
    """Objects that are two answers to a listing, and some before and after them."""
    s3_server.make_bucket("many-objects")
    storage = s3_server.storage
    keys = [
        *(f"r/{name}" for name in NUMBERED),
        "q/0.wav",
        "r.wav",
        "r0.wav",
        "r/00/x.wav",
        "s/0.wav",
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: storage.write(f"s3://many-objects/{key}", b""), keys))
    return "s3://many-objects"


def test_a_listing_of_several_answers_is_whole_and_goes_on_where_it_broke_off(
    many: str, fault_proxy: FaultProxy
) -> None:
    assert names_at(fault_proxy.storage, f"{many}/r", ".wav") == ["x.wav", *NUMBERED]
    assert fault_proxy.counts()["requests"] == {"GET": 2}
    fault_proxy.fault("truncate", every=2)
    assert names_at(fault_proxy.storage, f"{many}/r", ".wav") == ["x.wav", *NUMBERED]
    assert fault_proxy.counts()["faults"] == 1
    assert fault_proxy.counts()["requests"] == {"GET": 2 + 3}


@pytest.mark.parametrize(
    ("glob", "n_requests"),
    [("0109*", 1), ("0000*.wav", 1), ("01099.wav*", 1), ("00[!0]*", 2), ("0*", 2), ("*99.wav", 2)],
)
def test_a_glob_is_listed_from_where_its_names_start_to_where_they_end(
    many: str, fault_proxy: FaultProxy, glob: str, n_requests: int
) -> None:
    assert names_at(fault_proxy.storage, f"{many}/r/{glob}", ".wav") == fnmatch.filter(
        NUMBERED, glob
    )
    assert fault_proxy.counts()["requests"] == {"GET": n_requests}


def test_ranges_come_as_asked_for(bucket: str, fault_proxy: FaultProxy) -> None:
    storage = fault_proxy.storage
    file = storage.file(f"{bucket}/{KEYS[0]}")
    ranges = [(200_000, 200_100), (0, 1), (299_999, 300_000), (5, 5)]
    read = [file.read(start, stop) for start, stop in ranges]
    assert read == [CONTENT[start:stop] for start, stop in ranges]
    assert storage.bytes_fetched == fault_proxy.counts()["body_bytes"] == 102
    assert b"".join(file.stream()) == CONTENT
    assert storage.restore(file.url, file.size, file.version) == file


def test_content_that_has_changed_is_told_and_not_mixed(
    bucket: str, s3_server: S3Server, fault_proxy: FaultProxy
) -> None:
    s3_server.put(BUCKET, "changing.wav", CONTENT)
    file = fault_proxy.storage.file(f"{bucket}/changing.wav")
    s3_server.put(BUCKET, "changing.wav", CONTENT[::-1])
    with pytest.raises(StorageError, match="changed since it was listed") as error:
        file.read(0, 10)
    one_line(error, file.url)
    s3_server.put(BUCKET, "changing.wav", b"")
    with pytest.raises(StorageError, match="list it again"):
        file.read(0, 10)
    assert fault_proxy.counts()["requests"]["GET"] == 2  # a repetition would not mend it


def test_what_is_written_is_found(bucket: str, s3_server: S3Server, tmp_path: Path) -> None:
    for address in (f"{bucket}/tables/out.txt", tmp_path / "new" / "out.txt"):
        s3_server.storage.write(address, b"content")
        file = s3_server.storage.file(address)
        assert file.read(0, file.size) == b"content"
    with pytest.raises(StorageError, match="web server"):
        s3_server.storage.write("http://127.0.0.1/x", b"")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["seek", "read", "end"]), st.integers(0, 310_000) | st.integers(0, 200)
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(STEPS)
def test_a_remote_file_reads_as_one_in_memory(
    bucket: str, s3_server: S3Server, steps: list[tuple[str, int]]
) -> None:
    memory = io.BytesIO(CONTENT)
    with s3_server.storage.file(f"{bucket}/{KEYS[0]}").open() as remote:
        for step, number in steps:
            if step == "read":
                assert remote.read(number) == memory.read(number)
            elif step == "seek":
                assert remote.seek(number) == memory.seek(number)
            else:
                assert remote.seek(-min(number, 300_000), os.SEEK_END) == memory.seek(
                    -min(number, 300_000), os.SEEK_END
                )
            assert remote.tell() == memory.tell()
        assert remote.read() == memory.read()


def test_a_header_costs_kilobytes_and_a_large_read_just_its_bytes(
    bucket: str, fault_proxy: FaultProxy
) -> None:
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


@pytest.mark.parametrize("before", [0, 8, 10_000])
def test_the_rest_of_a_file_is_one_request(
    bucket: str, fault_proxy: FaultProxy, before: int
) -> None:
    with fault_proxy.storage.file(f"{bucket}/{KEYS[0]}").open() as remote:
        remote.read(before)
        asked = fault_proxy.counts()["requests"].get("GET", 0)
        assert remote.read() == CONTENT[before:]
        assert remote.read() == b""
    assert fault_proxy.counts()["requests"]["GET"] == asked + 1
    assert fault_proxy.counts()["body_bytes"] == len(CONTENT)


# ---- what networks do


@pytest.mark.parametrize("kind", ["drop", "truncate", "status", "stall"])
def test_a_failure_that_passes_is_not_noticed(
    bucket: str, fault_proxy: FaultProxy, kind: str
) -> None:
    storage = Storage(fault_proxy.connection, retry_policy=replace(QUICK, timeout_s=0.5))
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
    "clock of this computer": {"kind": "status", "status": 403, "code": "RequestTimeTooSkewed"},
    "not understood \\(400 InvalidRequest": {
        "kind": "status",
        "status": 400,
        "code": "InvalidRequest",
    },
    "another region": {"kind": "status", "status": 301, "code": "PermanentRedirect"},
    "connection broke off": {"kind": "truncate"},
    "no answer in time": {"kind": "slow", "seconds": 1.0},
}


@pytest.mark.parametrize("told", FAULTS)
def test_a_failure_that_lasts_is_one_line(bucket: str, fault_proxy: FaultProxy, told: str) -> None:
    storage = Storage(
        fault_proxy.connection, retry_policy=replace(QUICK, attempts=2, timeout_s=0.3)
    )
    file = storage.file(f"{bucket}/{KEYS[0]}")
    fault_proxy.fault(times=99, **FAULTS[told])  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=told) as error:
        file.read(0, 1000)
    one_line(error, file.url)
    transient = told in {"too busy", "connection broke off", "no answer in time"}
    assert error.value.transient is transient
    assert fault_proxy.counts()["faults"] == (2 if transient else 1)


def test_words_in_a_key_are_no_diagnosis(bucket: str, fault_proxy: FaultProxy) -> None:
    file = fault_proxy.storage.restore(
        f"{bucket}/redirect/NoSuchBucket 169.254.1.1/status code 404.wav", 10, ""
    )
    fault_proxy.fault("status", times=99)
    with pytest.raises(StorageError, match="too busy"):
        file.read(0, 10)


def test_slow_lines_take_their_time_as_long_as_bytes_come(
    s3_server: S3Server, fault_proxy: FaultProxy
) -> None:
    s3_server.make_bucket("slow-line")
    s3_server.put("slow-line", "x.wav", CONTENT)
    file = Storage(
        fault_proxy.connection, retry_policy=replace(QUICK, attempts=1, timeout_s=0.4)
    ).file("s3://slow-line/x.wav")
    fault_proxy.fault("trickle", seconds=1.2)
    assert file.read(0, len(CONTENT)) == CONTENT
    assert fault_proxy.counts()["faults"] == 1


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
    connection = Connection(
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id=SecretStr(KEY_ID),
        aws_secret_access_key=SecretStr(SECRET),
    )
    with pytest.raises(StorageError, match="cannot be reached") as error:
        list(Storage(connection, retry_policy=replace(QUICK, attempts=2)).find("s3://bucket/x"))
    one_line(error, "s3://bucket/x")


@pytest.mark.parametrize("told", ["file", "find"])
def test_without_keys_the_remedies_are_told(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(
        "AWS_METADATA_ENDPOINT", "http://127.0.0.1:1"
    )  # where a machine of the cloud would ask for its keys
    storage = Storage(Connection(endpoint_url=s3_server.url), retry_policy=QUICK)
    with pytest.raises(
        StorageError, match=r"there are no keys; write them to .*--anonymous"
    ) as error:
        _ = (
            storage.file("s3://bucket/x.wav")
            if told == "file"
            else list(storage.find("s3://bucket/x"))
        )
    one_line(error, "s3://bucket/x")


def test_public_buckets_are_read_without_keys(s3_server: S3Server) -> None:
    s3_server.make_bucket("public-recordings", public=True)
    s3_server.put("public-recordings", "a.wav", b"sound")
    anonymous = Storage(
        Connection(endpoint_url=s3_server.url, region_name="us-west-2", anonymous=True),
        retry_policy=QUICK,
    )
    (file,) = anonymous.find("s3://public-recordings", [".wav"])
    assert file.read(0, 5) == b"sound"


def test_the_environment_is_a_connection(
    bucket: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "ENDPOINT_URL": s3_server.url,
        "REGION": "us-west-2",
        "ACCESS_KEY_ID": KEY_ID,
        "SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    assert Storage(retry_policy=QUICK).file(f"{bucket}/{KEYS[0]}").size == len(CONTENT)


def test_a_connection_goes_before_the_environment(
    bucket: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "ENDPOINT_URL": "http://127.0.0.1:1",
        "ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "ACCESS_KEY_ID": "other",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    assert s3_server.storage.file(f"{bucket}/{KEYS[0]}").size == len(CONTENT)


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ENDPOINT_URL", "over there"), ("AWS_REGION", "us west")]
)
def test_a_wrong_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=name) as error:
        Storage(Connection(anonymous=True)).file("s3://bucket/x.wav")
    one_line(error, "s3://bucket")


# ---- the web


@pytest.fixture
def simple_server(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that gives whole files only."""
    (tmp_path / "x.wav").write_bytes(CONTENT)
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield re.findall(r"http://[\d.:]+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.communicate()


def test_a_web_server_that_gives_no_parts_is_told(simple_server: str) -> None:
    file = Storage(retry_policy=QUICK).file(f"{simple_server}/x.wav")
    assert file.size == len(CONTENT)
    with pytest.raises(StorageError, match="does not send parts of files") as error:
        file.read(5, 10)
    one_line(error, file.url)


def test_a_file_on_a_web_server_is_read_by_ranges(s3_server: S3Server) -> None:
    s3_server.make_bucket("on-the-web", public=True)
    s3_server.put("on-the-web", "a b.wav", CONTENT)
    (file,) = Storage(retry_policy=QUICK).find(f"{s3_server.url}/on-the-web/a%20b.wav", [".wav"])
    assert (file.name, file.size, file.path) == ("a b.wav", len(CONTENT), None)
    assert file.read(7, 9000) == CONTENT[7:9000]
    with pytest.raises(StorageError, match="cannot be listed"):
        list(Storage().find(f"{s3_server.url}/on-the-web/*.wav"))
