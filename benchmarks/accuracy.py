"""Measure a model on recordings that it was not trained on, for docs/accuracy.md.

    python benchmarks/accuracy.py --shared ../shared --output build/accuracy
    python benchmarks/accuracy.py --model runs/tcn/model --compare build/accuracy/accuracy.json

`--shared` is a folder with `bench/` and `audio/`, which holds `manifest.tsv`. Sets that are
composed of these are written to `--sets` once; two models are compared on the same sets.
Detections and the figures, `accuracy.json`, are written to `--output`. A run that was interrupted
goes on. `judging/` says what is measured.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from judging import rows as tables
from judging.detecting import Detector, Workshop
from judging.parts import PARTS, rows_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--output", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--sets", type=Path, default=Path("build/accuracy-sets"))
    parser.add_argument("--model", default="tcn", help="a packaged model, or a model folder")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--compare", type=Path, help="`accuracy.json` of another run")
    options = parser.parse_args()
    names = options.parts.split(",")
    if unknown := set(names) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    began = time.perf_counter()
    detector = Detector(options.model, options.output / "detections")
    rows = list(rows_of(Workshop(options.shared, options.sets, detector), names))
    model = {"name": detector.model.name, "hash": detector.model.hash, "key": detector.key}
    tables.write(options.output / "accuracy.json", model, rows)
    old = tables.read(options.compare) if options.compare else []
    print("\n".join(tables.tables(rows, old)))
    if old:
        print("\n" + "\n".join(tables.compare(old, rows)))
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
