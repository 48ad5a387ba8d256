"""Measure the speed of `loxo prepare clips`, and what it fetches: 200 clips out of 8 h.

The recordings lie on a disk, then on an S3 server on loopback.

    python benchmarks/preparation.py

The recordings are noise: what is in them does not matter here. The server is moto's, of the
development environment. It holds an hour in memory for each answer, so the time is the server's
own, and the number of bytes is the result.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3
import numpy as np
import soundfile

from loxo.annotations import write_events
from loxo.clips import read_clips
from loxo.events import Event

HOURS, EVENTS, RATE = 8, 200, 8000
BUCKET = "recordings"
PORT = 15963
LOXO = Path(sys.executable).with_name("loxo")


def make(folder: Path) -> None:
    """Write eight recordings of an hour with 25 events each, far enough apart for single clips."""
    rng = np.random.default_rng(0)
    for number in range(HOURS):
        path = folder / "recordings" / f"nn01a_2018010{number + 1}_000000.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, (300 * rng.standard_normal(3600 * RATE)).astype(np.int16), RATE)
        starts = 20 + 140 * np.arange(EVENTS // HOURS) + rng.uniform(0, 60, EVENTS // HOURS)
        table = folder / "tables" / f"{path.stem}.selections.txt"
        table.parent.mkdir(exist_ok=True)
        write_events(
            table,
            [Event("Rumble", round(start, 3), round(start, 3) + 4.0) for start in starts.tolist()],
            path.name,
        )


def measure(folder: Path, recordings: str, environment: dict[str, str]) -> str:
    """Cut clips from recordings at one address; a line with what it took."""
    tables: list[str] = [
        "--tables",
        "tables",
        "--recordings",
        recordings,
        "--data",
        f"data-{len(recordings)}",
    ]
    subprocess.run(
        [str(LOXO), "prepare", "table", *tables],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
    )
    began = time.perf_counter()
    command = [str(LOXO), "prepare", "clips", *tables[-2:]]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    took = time.perf_counter() - began
    clips = read_clips(folder / tables[-1] / "clips.parquet")
    wanted = sum(2 * round(clip.seconds * clip.rate) for clip in clips)
    found = re.search(r"([\d.,]+) MB fetched", " ".join(done.stdout.replace("│", " ").split()))
    line = (
        f"{len(clips)} clips ({wanted / 1e6:.1f} MB) in {took:.2f} s, start-up included: "
        f"{len(clips) / took:.0f} clips a second"
    )
    if found:
        fetched = float(found[1].replace(",", "")) * 1e6
        line += f", {fetched / wanted:.3f} bytes fetched for each of theirs"
    return line


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        print("disk:", measure(folder, "recordings", dict(os.environ)))
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(PORT)], stderr=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{PORT}"
            keys = {
                "AWS_ACCESS_KEY_ID": "any",
                "AWS_SECRET_ACCESS_KEY": "any",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": url,
            }
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{url}/moto-api/").close()  # noqa: S310 loopback
                    break
                except OSError:
                    time.sleep(0.2)
            os.environ.update(keys)
            client = boto3.client("s3", endpoint_url=url)
            client.create_bucket(Bucket=BUCKET)
            for path in (folder / "recordings").iterdir():
                client.put_object(Bucket=BUCKET, Key=f"wav/{path.name}", Body=path.read_bytes())
            print("S3:  ", measure(folder, f"s3://{BUCKET}/wav", dict(os.environ) | keys))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
