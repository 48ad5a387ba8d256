"""Which recording a name stands for: alone, among the names of tables, and without a listing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loxo.annotations import (
    Annotation,
    Annotations,
    match_annotations,
    names_index,
    read_annotations,
    read_table,
    write_raven,
)
from loxo.events import Detection, Event
from loxo.recordings import (
    AmbiguousNameError,
    RecordingIndex,
    RecordingName,
    recording_stem,
    same_recording,
)

FOLDERS = st.lists(st.sampled_from(["a", "b", "Site \u00e9", "day.1", "nn01"]), max_size=3)
STEMS = st.sampled_from(["x", "y", "\u00e9l\u00e9phant", "20210722_005941", "dz_2013", "dzan_2013"])
PATHS = st.builds(
    lambda folders, stem, end: "/".join([*folders, stem + end]),
    FOLDERS,
    STEMS,
    st.sampled_from([".wav", ".WAV", ".flac"]),
)
SPELLINGS = st.sampled_from(
    [
        str.upper,
        str.lower,
        lambda path: path.replace("/", "\\"),
        lambda path: unicodedata.normalize("NFD", path),
        lambda path: "./" + path,
        lambda path: path.replace("/", "//"),
        lambda path: path.replace("dzan_", "dz_"),
    ]
)
ABOVE = st.sampled_from(["", "/data/rec", "s3://bucket/wav", "E:\\survey", "https://host/r"])


def joined(root: str, path: str) -> str:
    return f"{root}/{path}" if root else path


# ---- two paths


@given(PATHS, PATHS)
def test_whether_two_paths_name_one_recording_does_not_depend_on_their_order(
    a: str, b: str
) -> None:
    assert same_recording(a, b) == same_recording(b, a)
    assert same_recording(a, a)


@given(PATHS, SPELLINGS, ABOVE)
def test_spelling_and_what_lies_above_a_path_do_not_count(
    path: str, spelled: object, above: str
) -> None:
    assert callable(spelled)
    assert same_recording(path, joined(above, spelled(path)))
    assert same_recording(recording_stem(path), spelled(path))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("siteA/x.wav", "siteB/x.wav"),
        ("x.wav", "y.wav"),
        ("x.wav", "x_.wav"),
        ("x.txt", "x.wav"),
        ("s3://bucket/a/x.wav", "https://host/b/x.wav"),
    ],
)
def test_other_folders_and_other_names_are_other_recordings(a: str, b: str) -> None:
    assert not same_recording(a, b)


# ---- a name and a set of recordings


@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), ABOVE)
@settings(deadline=None)
def test_a_recording_is_found_by_its_own_path(paths: list[str], root: str) -> None:
    """Also beside recordings that differ from it by letter case, extension or alias alone."""
    whole = [joined(root, path) for path in paths]
    index = RecordingIndex(whole)
    for path in whole:
        assert index.match(RecordingName(path, path)) == path


@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), SPELLINGS, ABOVE, st.data())
@settings(deadline=None)
def test_a_match_agrees_and_an_ambiguous_name_has_two(
    paths: list[str], spelled: object, above: str, data: st.DataObject
) -> None:
    index = RecordingIndex([f"/data/{path}" for path in paths], "/data")
    assert callable(spelled)
    name = joined(above, spelled(data.draw(st.sampled_from(paths) | PATHS)))
    agreeing = [path for path in paths if same_recording(path, name)]
    found = index.match_all([RecordingName(name)])[RecordingName(name)]
    if isinstance(found, AmbiguousNameError):
        assert len(found.recordings) > 1
        assert {f"/data/{path}" for path in agreeing} >= set(found.recordings)
        assert all(one in str(found) for one in sorted(found.recordings)[:2])
        assert "\n" not in str(found)
    else:
        assert (found is None) == (not agreeing)
        assert found is None or found.removeprefix("/data/") in agreeing


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x", None),
        ("siteA/x", "siteA/x.WAV"),
        (r"E:\survey\SITEA\X.wav", "siteA/x.WAV"),
        ("siteC/x", "none"),
        ("y", None),
        ("y.wav", "siteA/y.wav"),
        ("y.FLAC", "siteA/y.flac"),
        ("y.mp3", None),
        ("dzan_1", "dz_1.wav"),
        ("dz_1", "dz_1.wav"),
        ("dz_2", "dz_2.wav"),
        ("dzan_2", "dzan_2.wav"),
    ],
)
def test_names_are_found_or_ambiguous(name: str, found: str | None) -> None:
    below = ["siteA/x.WAV", "siteB/x.WAV", "siteA/y.wav", "siteA/y.flac", "dz_1.wav"]
    below += ["dz_2.wav", "dzan_2.wav"]
    index = RecordingIndex([f"/rec/{path}" for path in below])
    if found is None:
        with pytest.raises(AmbiguousNameError, match=rf"^{name}: fits 2 recordings \(/rec/site"):
            index.match(name)
    else:
        assert index.match(name) == (None if found == "none" else f"/rec/{found}")


def test_the_remedy_fits_what_is_ambiguous() -> None:
    with pytest.raises(AmbiguousNameError, match="write the folder in front of the name"):
        RecordingIndex(["/rec/siteA/x.wav", "/rec/siteB/x.wav"]).match("x")
    with pytest.raises(AmbiguousNameError, match="write the name with its extension"):
        RecordingIndex(["/rec/y.wav", "/rec/y.flac", "/rec/a/z.wav"]).match("y")


def test_begin_path_and_the_table_s_folder_decide_only_where_the_file_does_not() -> None:
    index = RecordingIndex(["/rec/siteA/x.WAV", "/rec/siteB/x.WAV", "/rec/siteB/y.WAV"])
    assert index.match(RecordingName("x.wav", r"E:\siteB\x.wav")) == "/rec/siteB/x.WAV"
    assert index.match(RecordingName("x.wav", table="/truth/siteA/t.txt")) == "/rec/siteA/x.WAV"
    assert index.match(RecordingName("y.wav", r"D:\work\y.wav")) == "/rec/siteB/y.WAV"
    assert index.match(RecordingName("y.wav", r"D:\work\y.wav"), unique=False) is None
    with pytest.raises(AmbiguousNameError):
        index.match(RecordingName("x.wav", table="/truth/t.txt"))


def test_deeper_folders_of_a_table_decide_where_the_next_ones_are_equal() -> None:
    index = RecordingIndex(["/rec/siteA/day1/x.WAV", "/rec/siteB/day1/x.WAV"])
    name = RecordingName("x", table="/truth/siteB/day1/x.txt")
    assert index.match(name) == "/rec/siteB/day1/x.WAV"


# ---- the names of several tables

AUDIOMOTH = "20210722_005941.WAV"


def events(*names: RecordingName) -> Annotations:
    """One event at a different time for each name."""
    rows = (
        Annotation(name, Event("Rumble", float(i), i + 1.0), name.table, 2)
        for i, name in enumerate(names)
    )
    return Annotations(tuple(rows), frozenset(), ())


def counts(annotations: Annotations, index: RecordingIndex) -> dict[str, int]:
    matched = match_annotations(annotations, index)
    return {path: len(rows) for path, rows in matched.rows.items()}


SITE_A = RecordingName(AUDIOMOTH, rf"E:\survey\siteA\{AUDIOMOTH}", "truth.txt")
SITE_B = RecordingName(AUDIOMOTH, rf"E:\survey\siteB\{AUDIOMOTH}", "truth.txt")


@pytest.mark.parametrize("root", ["/rec", None, "/rec/siteB"])
@pytest.mark.parametrize("table", ["truth.txt", "other.txt"])
def test_rows_of_a_missing_site_do_not_become_those_of_the_site_that_is_there(
    root: str | None, table: str
) -> None:
    other = RecordingName(SITE_B.file, SITE_B.path, table)
    index = RecordingIndex([f"/rec/siteB/{AUDIOMOTH}"], root)
    matched = match_annotations(events(SITE_A, other), index)
    assert counts(events(SITE_A, other), index) == {f"/rec/siteB/{AUDIOMOTH}": 1}
    assert matched.unmatched == {SITE_A: 1}
    assert not matched.ambiguous


def test_a_bare_name_is_ambiguous_where_other_rows_tell_its_recordings_apart() -> None:
    bare = RecordingName(AUDIOMOTH, table="truth.txt")
    index = RecordingIndex([f"/rec/siteB/{AUDIOMOTH}"], "/rec")
    matched = match_annotations(events(SITE_A, SITE_B, bare), index)
    assert {path: len(rows) for path, rows in matched.rows.items()} == {index.paths[0]: 1}
    assert [error.name for error in matched.ambiguous] == [f"{AUDIOMOTH} in truth.txt"]


def test_paths_that_contradict_each_other_do_not_share_a_recording() -> None:
    names = [RecordingName("x.wav", path, "t.txt") for path in (r"D:\one\x.wav", r"D:\two\x.wav")]
    matched = match_annotations(events(*names), RecordingIndex(["/rec/x.wav"]))
    assert not matched.rows
    assert len(matched.ambiguous) == 2


def test_machines_may_give_one_recording_different_paths_if_its_name_holds_the_site() -> None:
    file = "nn01a_20180126_000000.wav"
    names = [
        RecordingName(file, rf"L:\ELP\sounds\{file}", "1.txt"),
        RecordingName(file, rf"D:\work\{file}", "2.txt"),
        RecordingName(file, "", "3.txt"),
    ]
    index = RecordingIndex([f"s3://bucket/nn01a/{file}", "s3://bucket/nn01a/other.wav"])
    assert counts(events(*names), index) == {f"s3://bucket/nn01a/{file}": 3}


def test_tables_by_label_in_folders_of_their_own_share_a_recording() -> None:
    names = [RecordingName("x", table=f"/truth/{kind}/x.txt") for kind in ("rumbles", "gunshots")]
    assert counts(events(*names), RecordingIndex(["/rec/x.wav", "/rec/y.wav"])) == {"/rec/x.wav": 2}
    assert counts(events(*names), RecordingIndex(["/rec/s1/x.wav", "/rec/s2/y.wav"])) == {
        "/rec/s1/x.wav": 2
    }


@pytest.mark.parametrize("root", ["/rec", None])
def test_a_table_of_another_site_does_not_give_its_rows_to_the_site_that_is_there(
    root: str | None,
) -> None:
    names = [RecordingName("x", table=f"/truth/{site}/x.txt") for site in ("siteA", "siteB")]
    matched = match_annotations(events(*names), RecordingIndex(["/rec/siteB/x.wav"], root))
    assert [[row.recording for row in rows] for rows in matched.rows.values()] == [[names[1]]]
    assert len(matched.ambiguous) == 1
    assert "/truth/siteA/x.txt" in str(matched.ambiguous[0])


# ---- annotations by recording


def one_sound(path: Path, *selections: tuple[float, float]) -> Path:
    """A Raven table of the one sound that is called like it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{start_s}\t{end_s}\tGunshot\n" for start_s, end_s in selections]
    path.write_text("Begin Time (s)\tEnd Time (s)\tTags\n" + "".join(rows))
    return path


class TestRepeatedRows:
    """A selection in several tables counts once if it is of the same recording."""

    index = RecordingIndex(["/rec/siteA/x.WAV", "/rec/siteB/x.WAV"])

    def test_equal_times_in_recordings_of_one_name_are_not_repeated(self, tmp_path: Path) -> None:
        for site in ("siteA", "siteB"):
            one_sound(tmp_path / site / "x.txt", (0.0, 60.0))
        found = read_annotations([tmp_path])
        matched = match_annotations(found, self.index)
        assert {path: len(rows) for path, rows in matched.rows.items()} == dict.fromkeys(
            self.index.paths, 1
        )
        assert matched.repeated == 0
        assert list(counts(found, names_index(found)).values()) == [1, 1]

    def test_a_site_that_was_found_empty_stays(self, tmp_path: Path) -> None:
        one_sound(tmp_path / "siteA" / "x.txt")
        one_sound(tmp_path / "siteB" / "x.txt", (20.0, 21.0))
        matched = match_annotations(read_annotations([tmp_path]), self.index)
        assert [len(rows) for rows in matched.rows.values()] == [0, 1]
        assert matched.searched == set(self.index.paths)

    def test_a_copied_table_counts_once_and_rows_of_one_table_all_count(
        self, tmp_path: Path
    ) -> None:
        times = [(9.0, 10.0), (1.0, 2.0), (1.0, 2.0)]
        one_sound(tmp_path / "siteA" / "x.txt", *times)
        one_sound(tmp_path / "backup" / "siteA" / "x.txt", *times, (30.0, 31.0))
        matched = match_annotations(read_annotations([tmp_path]), self.index)
        rows = matched.rows["/rec/siteA/x.WAV"]
        assert [row.event.start_s for row in rows] == [1.0, 1.0, 9.0, 30.0]
        assert matched.repeated == 3


def test_what_a_detector_found_is_not_what_a_person_searched(tmp_path: Path) -> None:
    write_raven(tmp_path / "x.selections.txt", [Detection("Rumble", 1, 2, 3, 4, 0.5)], "rec/x.wav")
    write_raven(tmp_path / "y.selections.txt", [Detection("Rumble", 1, 2, 3, 4, 0.5)], "rec/y.wav")
    one_sound(tmp_path / "y.txt", (5.0, 6.0))
    matched = match_annotations(
        read_annotations([tmp_path]), RecordingIndex(["rec/x.wav", "rec/y.wav"])
    )
    assert matched.in_part == {"rec/x.wav"}
    assert matched.searched == {"rec/y.wav"}
    assert [len(rows) for rows in matched.rows.values()] == [1, 2]


def test_rows_without_a_recording_are_counted_by_name() -> None:
    here, gone = RecordingName("x.wav", table="t.txt"), RecordingName("gone.wav", table="t.txt")
    empty = RecordingName("empty.wav", table="t.txt")
    found = events(here, gone, gone)
    found = Annotations(found.rows, frozenset({empty}), ())
    assert match_annotations(found, RecordingIndex(["/rec/x.wav"])).unmatched == {gone: 2, empty: 0}


# ---- without a listing


def paths_of(*sources: Sequence[RecordingName]) -> list[dict[str, int]]:
    """Rows by recording of each source, in the index that all sources give together."""
    annotations = [events(*names) for names in sources]
    index = names_index(*annotations)
    return [counts(one, index) for one in annotations]


class TestNamesIndex:
    def test_one_recording_is_known_by_its_longest_path(self) -> None:
        truth = [RecordingName("x.wav", table="t.txt")]
        run = [RecordingName("/home/rec/x.wav", "/home/rec/x.wav", "detections.parquet")]
        assert paths_of(truth, run) == [{"/home/rec/x.wav": 1}] * 2

    def test_two_machines_call_one_recording_by_different_paths(self) -> None:
        truth = [RecordingName("x.wav", r"D:\work\x.wav", "t.txt")]
        run = [RecordingName("/home/me/rec/x.wav", "/home/me/rec/x.wav", "detections.parquet")]
        assert paths_of(truth, run) == [{"/home/me/rec/x.wav": 1}] * 2

    @pytest.mark.parametrize("n_in_truth", [1, 2])
    def test_sites_of_equal_file_names_meet_on_two_machines(self, n_in_truth: int) -> None:
        run = [
            RecordingName(path, path, "detections.parquet")
            for path in (f"/home/me/rec/{site}/{AUDIOMOTH}" for site in ("siteA", "siteB"))
        ]
        truth, found = paths_of([SITE_A, SITE_B][:n_in_truth], run)
        assert list(found.values()) == [1, 1]
        assert list(truth.values()) == [1] * n_in_truth
        assert truth.keys() <= found.keys()
        assert all("siteA" in path or n_in_truth == 2 for path in truth)

    def test_tables_of_one_sound_meet_the_paths_of_a_run(self) -> None:
        truth = [RecordingName("x", table=f"/truth/{site}/x.txt") for site in ("siteA", "siteB")]
        run = [
            RecordingName("x.wav", f"/rec/{site}/x.wav", f"/out/{site}/x.selections.txt")
            for site in ("siteA", "siteB")
        ]
        assert paths_of(truth, run) == [{"/rec/siteA/x.wav": 1, "/rec/siteB/x.wav": 1}] * 2

    def test_tables_of_one_sound_in_mirrored_trees_meet(self) -> None:
        trees = [
            [RecordingName("x", table=f"/{top}/{site}/x.txt") for site in ("siteA", "siteB")]
            for top in ("truth", "run")
        ]
        truth, run = paths_of(*trees)
        assert truth == run
        assert list(truth.values()) == [1, 1]

    def test_a_site_in_which_nothing_was_detected_is_not_taken_for_another(self) -> None:
        """An empty table of detections holds no path: its folder tells which recording it is."""
        run = [
            RecordingName("x.wav", "/rec/siteA/x.wav", "/out/siteA/x.selections.txt"),
            RecordingName("x", table="/out/siteB/x.selections.txt"),
        ]
        truth = [RecordingName("x", table=f"/truth/{site}/x.txt") for site in ("siteA", "siteB")]
        found_truth, found_run = paths_of(truth, run)
        assert found_truth == found_run
        assert list(found_truth.values()) == [1, 1]
        assert "/rec/siteA/x.wav" in found_truth
        assert paths_of(truth[:1], run)[0] == {"/rec/siteA/x.wav": 1}

    def test_tables_by_label_meet_the_detections_of_one_recording(self) -> None:
        truth = [RecordingName("x", table=f"/truth/{kind}/x.txt") for kind in ("rumble", "shot")]
        run = [RecordingName("x.wav", "/rec/x.wav", "/out/x.selections.txt")]
        assert paths_of(truth, run) == [{"/rec/x.wav": 2}, {"/rec/x.wav": 1}]

    def test_a_bare_name_that_agrees_with_several_recordings_is_ambiguous(self) -> None:
        found = events(SITE_A, SITE_B, RecordingName(AUDIOMOTH, table="bare.txt"))
        matched = match_annotations(found, names_index(found))
        assert [len(rows) for rows in matched.rows.values()] == [1, 1]
        assert len(matched.ambiguous) == 1
        assert all(one.path in str(matched.ambiguous[0]) for one in (SITE_A, SITE_B))

    @given(st.lists(PATHS, min_size=1, max_size=6, unique_by=lambda p: p.casefold()))
    @settings(deadline=None)
    def test_all_recordings_of_one_table_are_found_by_their_own_names(
        self, paths: list[str]
    ) -> None:
        whole = [f"/rec/{path}" for path in paths]
        found = events(*(RecordingName(path, path, "detections.parquet") for path in whole))
        matched = match_annotations(found, names_index(found))
        assert not matched.unmatched
        assert not matched.ambiguous
        rows = [row for several in matched.rows.values() for row in several]
        assert {row.recording.file for row in rows} == set(whole)
        for path, several in matched.rows.items():
            assert all(same_recording(path, row.recording.file) for row in several)


def test_names_in_either_unicode_form_meet_the_files_of_either(tmp_path: Path) -> None:
    composed, decomposed = "for\u00eat/x.wav", "FORE\u0302T/X.WAV"
    for name, file in [(composed, decomposed), (decomposed, composed)]:
        table = tmp_path / "t.txt"
        table.write_text(
            f"Begin Time (s)\tEnd Time (s)\tLabel\tFilename\n1\t2\tRumble\t{name}\n",
            encoding="utf-8",
        )
        index = RecordingIndex([f"/rec/{file}", "/rec/other/x.wav"])
        assert counts(read_table(table), index) == {f"/rec/{file}": 1}
