"""Tables of every dialect with the traps that are known of each; written tables are read back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loxo.annotations import (
    AUDACITY_SUFFIX,
    DETECTIONS_SCHEMA,
    DIALECTS,
    EVENT_COLUMNS,
    RAVEN_COLUMNS,
    Annotation,
    AnnotationError,
    Annotations,
    detection_id,
    detections_frame,
    match_annotations,
    names_index,
    read_annotations,
    read_label_map,
    read_table,
    write_audacity,
    write_csv,
    write_events,
    write_parquet,
    write_raven,
)
from loxo.annotations.dialects import canonical_column, recognise
from loxo.events import Detection, Event
from loxo.recordings import RecordingName, output_names, recording_stem

REAL = Path(__file__).parents[2] / "shared" / "annotations"

RAVEN = "Selection,View,Channel,Begin Time (s),End Time (s),Low Freq (Hz),High Freq (Hz)"
RAVEN_MULTI = RAVEN + ",,Begin Path,File Offset (s),Begin File,Tag 1,Tag 2,notes"
RAVEN_PLAIN = RAVEN + ",Species"
REVIEWED = RAVEN + ",Begin File,Gunshot,Not_gunshot,Not_sure,Duplicate,Confidence"
ELP_SIX = "Selection,High Freq (Hz),File Offset (s),filename,duration,marginals"
CLUSTERS = "File Offset (s),duration (s),Begin File,uniqID,Tag1,Tag2"
ECO_GUNS = (
    "selection,view,channel,begin time,end time,low freq,high freq,begin path,Begin File,"
    "File Offset (s),site,numshots,duration (s),site"
)
GRID_GUNS = (
    "Selection,Begin Time (s),End Time (s),Low Freq (Hz),High Freq (Hz),File Offset (s),"
    "Begin File,site,Notes,total shots,delta time (s)"
)


def written(
    path: Path,
    header: str,
    *rows: Sequence[str],
    separator: str = "\t",
    end: str = "\n",
    encoding: str = "utf-8",
) -> Path:
    """A table under the columns of `header`, which are given with commas between them."""
    path.write_bytes(
        "".join(separator.join(cells) + end for cells in [header.split(","), *rows]).encode(
            encoding
        )
    )
    return path


def stems(names: Iterable[RecordingName]) -> set[str]:
    """Stems of recordings, for tests in which the table does not matter."""
    return {recording_stem(name.file) for name in names}


def only(found: Annotations) -> Annotation:
    assert len(found.rows) == 1
    return found.rows[0]


def six(
    name: str = "a.wav", offset: str = "10.5", duration: str = "2.25", remark: str = ""
) -> list[str]:
    return ["1", "40", offset, name, duration, remark]


class TestDialects:
    def test_raven_times_are_cumulative_and_the_event_lies_at_its_file_offset(
        self, tmp_path: Path
    ) -> None:
        windows = r"L:\ELP\sounds\nn04d\nn04d_20180721_000000.WAV"
        row = [
            "1",
            "Spectrogram 1",
            "1",
            "6315421.997",
            "6315425.992",
            "25.5",
            "54.5",
            "",
            windows,
            "12551.679",
        ]
        table = written(
            tmp_path / "t.txt",
            RAVEN_MULTI,
            [*row, "nn04d_20180721_000000.WAV", "rumble", "", "faint"],
        )
        found = only(read_annotations([table]))
        assert found.event == Event("Rumble", 12551.679, 12555.674, 25.5, 54.5, marginal=True)
        assert found.recording == RecordingName("nn04d_20180721_000000.WAV", windows, str(table))
        assert (found.table, found.row) == (str(table), 2)

    def test_the_path_names_the_file_where_begin_file_is_empty(self, tmp_path: Path) -> None:
        row = [
            "1",
            "",
            "1",
            "100",
            "102",
            "",
            "",
            "",
            r"D:\x\dzan_20130101_180000.wav",
            "5",
            "",
            "RUM",
            "",
            "",
        ]
        found = only(read_annotations([written(tmp_path / "t.txt", RAVEN_MULTI, row)]))
        assert found.recording.file == "dzan_20130101_180000.wav"
        assert found.recording.longest == r"D:\x\dzan_20130101_180000.wav"
        assert found.event == Event("Rumble", 5, 7)

    @pytest.mark.parametrize(
        "name", ["x.Table.1.selections.txt", "x.selections.txt", "x.txt", "x.tsv", "x.TXT"]
    )
    def test_a_raven_table_without_files_belongs_to_the_sound_beside_it(
        self, tmp_path: Path, name: str
    ) -> None:
        table = written(
            tmp_path / name,
            RAVEN_PLAIN,
            ["1", "Spectrogram 1", "1", "3.0", "4.5", "0", "200", "Trumpet"],
        )
        found = only(read_annotations([table]))
        assert found.recording == RecordingName("x", table=str(table))
        assert found.event == Event("Trumpet", 3.0, 4.5, 0.0, 200.0)

    def test_a_raven_table_that_names_one_file_needs_no_offset(self, tmp_path: Path) -> None:
        table = written(
            tmp_path / "t.txt",
            "Begin Time (s),End Time (s),Begin File,Label",
            ["1", "2", "a.wav", "gun"],
            ["4", "5", "a.wav", "x"],
        )
        found = read_annotations([table])
        assert [(row.recording.file, row.event.start_s) for row in found.rows] == [
            ("a.wav", 1.0),
            ("a.wav", 4.0),
        ]

    def test_begin_times_over_several_files_are_refused_without_an_offset(
        self, tmp_path: Path
    ) -> None:
        table = written(
            tmp_path / "t.txt",
            "Begin Time (s),End Time (s),Begin File,Label",
            ["1", "2", "a.wav", "x"],
            ["9", "10", "b.wav", "x"],
        )
        with pytest.raises(
            AnnotationError, match=r"t\.txt, row 1: .* expected a column File Offset"
        ):
            read_annotations([table])

    def test_elp_six_columns(self, tmp_path: Path) -> None:
        rows = [
            six("a.wav"),
            six("a.wav", "20", "3", "marginal"),
            six("b.WAV", "30", "3", "maginal"),
            six("c.wav", "0.3", "9.8", "DUMMY_NoEles"),
        ]
        found = read_annotations([written(tmp_path / "t.txt", ELP_SIX, *rows)], label="rumble")
        assert found.rows[0].event == Event("Rumble", 10.5, 12.75, None, 40.0)
        assert [row.event.marginal for row in found.rows] == [False, True, True]
        assert stems(found.searched_empty) == {"c"}
        assert stems(found.recordings) == {"a", "b", "c"}

    def test_hand_browse_clusters_hold_no_label_in_tag1(self, tmp_path: Path) -> None:
        rows = [
            ["5", "2", "a.wav", "a_1", "1", "h"],
            ["9", "2", "a.wav", "a_2", "1", "reject"],
            ["12", "2", "a.wav", "a_3", "1"],
        ]
        table = written(tmp_path / "t.txt", CLUSTERS, *rows)
        with pytest.raises(AnnotationError, match="--label"):
            read_annotations([table])
        found = read_annotations([table], label="Rumble")
        assert [row.event.label for row in found.rows] == ["Rumble"] * 3
        assert [row.event.note for row in found.rows] == ["h", "reject", ""]

    def test_eco_guns_have_columns_in_lower_case_and_hold_bursts(self, tmp_path: Path) -> None:
        row = [
            "1",
            "Spectrogram 1",
            "1",
            "500",
            "503.5",
            "50",
            "900",
            "L:\\g\\a.wav",
            "a.wav",
            "7.25",
            "nn01",
            "13",
            "3.5",
            "nn01",
        ]
        found = only(read_annotations([written(tmp_path / "t.txt", ECO_GUNS, row)], label="gun"))
        assert found.event == Event("Gunshot", 7.25, 10.75, 50.0, 900.0, shots=13)

    def test_grid_guns_may_not_know_the_shots_and_print_begin_times_with_seven_digits(
        self, tmp_path: Path
    ) -> None:
        rows = [
            [
                "70",
                "1.249342e+06",
                "1.249347e+06",
                "36.735",
                "934.694",
                "40575.5995",
                "a.wav",
                "a",
                "",
                "?",
                "5.54800",
            ],
            [
                "71",
                "3.802536e+04",
                "3.803098e+04",
                "0",
                "623.8",
                "3.8025359e+04",
                "b.wav",
                "b",
                "far",
                "0",
                "",
            ],
        ]
        table = written(tmp_path / "t.csv", GRID_GUNS, *rows, separator=",", end="\r\n")
        burst, single = (row.event for row in read_annotations([table], label="Gunshot").rows)
        assert burst == Event("Gunshot", 40575.5995, 40581.1475, 36.735, 934.694, note="shots ?")
        assert single == Event("Gunshot", 38025.359, 38030.979, 0.0, 623.8, shots=0, note="far")

    def test_verdicts_decide_what_a_reviewed_detection_is(self, tmp_path: Path) -> None:
        verdicts = {
            "yes": ["1", "", "", "", "5"],
            "no": ["", "1", "", "", ""],
            "unsure": ["", "", "1", "", "2"],
            "twice": ["1", "", "", "1", ""],
            "both": ["1", "1", "", "", ""],
            "unseen": ["", "", "", "", ""],
        }
        rows = [
            [
                "1",
                "Spectrogram 1",
                "1",
                f"{6 * i + 2}.0",
                f"{6 * i + 6}.0",
                "0",
                "1500",
                f"{name}.wav",
                *marks,
            ]
            for i, (name, marks) in enumerate(verdicts.items())
        ]
        found = read_annotations([written(tmp_path / "t.txt", REVIEWED, *rows)])
        said = {row.recording.file: (row.event.marginal, row.event.note) for row in found.rows}
        assert said == {
            "yes.wav": (False, "confidence 5"),
            "unsure.wav": (True, "confidence 2"),
            "both.wav": (True, ""),
        }
        assert stems(found.searched_empty) == {"no"}
        assert stems(found.recordings) == {"yes", "unsure", "both", "no"}
        assert found.searched_in_part == found.recordings
        assert {row.event.label for row in found.rows} == {"Gunshot"}

    def test_rows_in_cuts_laid_end_to_end_lie_at_the_same_place_in_each(
        self, tmp_path: Path
    ) -> None:
        rows = [
            [
                "1",
                "",
                "1",
                f"{6 * i + 2}",
                f"{6 * i + 6}",
                "0",
                "1500",
                f"cut{i}.wav",
                "1",
                "",
                "",
                "",
                "",
            ]
            for i in range(4)
        ]
        table = written(tmp_path / "t.txt", REVIEWED, *rows)
        assert {(row.event.start_s, row.event.end_s) for row in read_annotations([table]).rows} == {
            (2.0, 6.0)
        }
        rows[1][3] = "?"
        found = read_annotations([written(table, REVIEWED, *rows)], lenient=True)
        assert {(row.event.start_s, row.event.end_s) for row in found.rows} == {(2.0, 6.0)}
        assert [(problem.row, problem.value) for problem in found.problems] == [(3, "?")]

    @pytest.mark.parametrize(
        "rows",
        [
            [("a", 2, 6), ("b", 8, 12), ("c", 15, 19)],
            [("a", 2, 6), ("b", 5, 9)],
            [("a", 2, 6), ("b", 8, 12), ("b", 14, 18)],
        ],
        ids=["unequal steps", "beyond the cut", "two in one cut"],
    )
    def test_reviewed_rows_without_a_place_in_their_file_are_refused(
        self, tmp_path: Path, rows: list[tuple[str, int, int]]
    ) -> None:
        cells = [
            ["1", "", "1", str(begin), str(end), "0", "1500", f"{name}.wav", "1", "", "", "", ""]
            for name, begin, end in rows
        ]
        with pytest.raises(AnnotationError, match=r"File Offset \(s\)"):
            read_annotations([written(tmp_path / "t.txt", REVIEWED, *cells)])

    def test_a_row_that_names_no_file_among_rows_that_do_is_refused(self, tmp_path: Path) -> None:
        table = written(
            tmp_path / "t.txt",
            "Begin Time (s),End Time (s),Begin File,Label",
            ["1", "2", "a.wav", "x"],
            ["9", "10", "", "x"],
        )
        with pytest.raises(
            AnnotationError,
            match="row 3: column 'Begin File' holds ''; expected the name of a file",
        ):
            read_annotations([table])

    def test_each_dialect_is_recognised_by_the_columns_that_it_needs(self) -> None:
        assert [recognise(dialect.columns) for dialect in DIALECTS] == list(DIALECTS)

    @pytest.mark.parametrize("name", ["Begin Time (s)", "begin time", " BEGIN  TIME (S) "])
    def test_columns_are_one_whatever_their_case_and_unit(self, name: str) -> None:
        assert canonical_column(name) == "begin time"


class TestViews:
    HEADER = RAVEN + ",Label"

    @pytest.mark.parametrize(
        "views", [("Waveform 1", "Spectrogram 1"), ("Spectrogram 1", "Waveform 1")]
    )
    def test_a_selection_in_both_views_is_one_event_in_the_band_of_the_spectrogram(
        self, tmp_path: Path, views: tuple[str, str]
    ) -> None:
        bands = {"Waveform 1": ["0", "4000"], "Spectrogram 1": ["12", "45"]}
        rows = [["1", view, "1", "5", "8", *bands[view], "rumble"] for view in views]
        other = ["2", "Waveform 1", "1", "5", "8", "0", "4000", "rumble"]
        found = read_annotations([written(tmp_path / "x.txt", self.HEADER, *rows, other)])
        assert [(row.event.low_hz, row.event.high_hz) for row in found.rows] == [
            (12.0, 45.0),
            (0.0, 4000.0),
        ]

    def test_remarks_of_both_rows_are_kept(self, tmp_path: Path) -> None:
        rows = [
            ["1", "Waveform 1", "1", "5", "8", "0", "9", "rumble", "faint"],
            ["1", "Spectrogram 1", "1", "5", "8", "0", "9", "rumble", "far"],
        ]
        found = only(read_annotations([written(tmp_path / "x.txt", self.HEADER + ",notes", *rows)]))
        assert (found.event.marginal, found.event.note) == (True, "far")

    @pytest.mark.parametrize(
        ("second", "why"),
        [
            (
                ["1", "Spectrogram 1", "1", "5", "8", "", "", "x"],
                "tables put together count from 1 again",
            ),
            (["1", "Waveform 1", "1", "50", "80", "", "", "x"], "apart in time"),
            (["", "Waveform 1", "1", "5", "8", "", "", "x"], "no number"),
        ],
    )
    def test_other_rows_stay_apart(self, tmp_path: Path, second: list[str], why: str) -> None:
        first = [second[0], "Spectrogram 1", "1", "5", "8", "", "", "x"]
        assert (
            len(read_annotations([written(tmp_path / "x.txt", self.HEADER, first, second)]).rows)
            == 2
        ), why


class TestLabels:
    @pytest.mark.parametrize("column", ["Tag 1", "Tags", "LABEL", "annotation", "Species"])
    def test_a_row_s_own_label_counts_before_the_option(self, tmp_path: Path, column: str) -> None:
        table = written(
            tmp_path / "x.txt",
            "Begin Time (s),End Time (s)," + column,
            ["1", "2", "Roar"],
            ["3", "4", ""],
        )
        assert [row.event.label for row in read_annotations([table], label="shot").rows] == [
            "Roar",
            "Gunshot",
        ]

    def test_a_row_without_any_label_is_refused(self, tmp_path: Path) -> None:
        table = written(
            tmp_path / "x.txt", "Begin Time (s),End Time (s),Label", ["1", "2", "x"], ["3", "4", ""]
        )
        with pytest.raises(
            AnnotationError,
            match=r"x\.txt, row 3: column 'Label' holds ''; expected a label, or --label",
        ):
            read_annotations([table])

    def test_a_table_that_names_no_label_is_one_problem_however_long(self, tmp_path: Path) -> None:
        table = written(tmp_path / "x.txt", ELP_SIX, *[six()] * 5)
        found = read_annotations([table], lenient=True)
        assert not found.rows
        assert [problem.row for problem in found.problems] == [1]

    @pytest.mark.parametrize(
        ("text", "label"),
        [
            ("rumble", "Rumble"),
            ("RUM", "Rumble"),
            ("gun", "Gunshot"),
            ("Shot", "Gunshot"),
            ("gunshot", "Gunshot"),
            ("Trumpet", "Trumpet"),
        ],
    )
    def test_known_spellings_become_the_package_s_labels(
        self, tmp_path: Path, text: str, label: str
    ) -> None:
        table = written(tmp_path / "x.txt", "Begin Time (s),End Time (s),Label", ["1", "2", text])
        assert only(read_annotations([table])).event.label == label

    def test_a_doubt_in_the_place_of_a_label_makes_the_event_marginal(self, tmp_path: Path) -> None:
        table = written(
            tmp_path / "x.txt", "Begin Time (s),End Time (s),Tag 1", ["1", "2", "Marginal"]
        )
        found = only(read_annotations([table], label="Rumble"))
        assert found.event == Event("Rumble", 1, 2, marginal=True)

    def test_a_remark_with_a_doubt_is_kept_in_full(self, tmp_path: Path) -> None:
        table = written(tmp_path / "t.txt", ELP_SIX, six(remark="faint, two animals"))
        event = only(read_annotations([table], label="Rumble")).event
        assert (event.marginal, event.note) == (True, "faint, two animals")


class TestSearchedAndEmpty:
    @pytest.mark.parametrize("header", [RAVEN_PLAIN, RAVEN_MULTI, ",".join(RAVEN_COLUMNS)])
    def test_a_header_alone_says_that_its_sound_was_searched(
        self, tmp_path: Path, header: str
    ) -> None:
        table = written(tmp_path / "x.selections.txt", header)
        found = read_annotations([table])
        assert not found.rows
        assert found.searched_empty == {RecordingName("x", table=str(table))}
        assert list(found.by_recording().values()) == [()]

    def test_an_empty_table_of_many_recordings_names_none(self, tmp_path: Path) -> None:
        assert not read_annotations([written(tmp_path / "all_sites.txt", ELP_SIX)]).recordings

    def test_a_dummy_row_needs_neither_a_label_nor_times(self, tmp_path: Path) -> None:
        row = [
            "1",
            "Spectrogram 1",
            "1",
            "",
            "",
            "0",
            "100",
            "",
            "",
            "",
            "a.wav",
            "DUMMY_NoEles",
            "",
            "",
        ]
        found = read_annotations([written(tmp_path / "t.txt", RAVEN_MULTI, row)])
        assert stems(found.searched_empty) == {"a"}

    def test_a_recording_with_events_in_one_table_is_not_empty(self, tmp_path: Path) -> None:
        one = written(
            tmp_path / "1.txt",
            ELP_SIX,
            six("a.wav", remark="DUMMY_NoEles"),
            six("b.wav", remark="DUMMY_NoEles"),
        )
        two = written(tmp_path / "2.txt", ELP_SIX, six("a.wav"))
        found = read_annotations([one, two], label="Gunshot")
        matched = match_annotations(found, names_index(found))
        assert {path: len(rows) for path, rows in matched.rows.items()} == {"a.wav": 1, "b.wav": 0}


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("separator", ["\t", ","])
    def test_encodings_line_ends_and_separators(
        self, tmp_path: Path, encoding: str, end: str, separator: str
    ) -> None:
        header, row = "File Offset (s),filename,duration", ["10.5", "forêt.wav", "2.25"]
        table = written(
            tmp_path / "t.txt", header, row, separator=separator, end=end, encoding=encoding
        )
        found = only(read_annotations([table], label="Rumble"))
        assert (found.recording.file, found.event.end_s, found.row) == ("forêt.wav", 12.75, 2)

    def test_columns_without_a_name_or_with_the_same_name_are_allowed(self, tmp_path: Path) -> None:
        header = ",,Begin Time (s),End Time (s),Label,Label,site,site"
        table = written(tmp_path / "x.txt", header, ["", "", "1", "2", "rumble", "roar", "a", "b"])
        assert only(read_annotations([table])).event.label == "Rumble"

    def test_quotes_of_other_programs_are_removed_and_a_lone_quote_hides_no_rows(
        self, tmp_path: Path
    ) -> None:
        quoted = [f'"{cell}"' for cell in six("a.wav", remark='said ""far""')]
        table = written(tmp_path / "t.txt", ELP_SIX, quoted, six(remark='"odd'), six())
        found = read_annotations([table], label="Rumble")
        assert [row.event.note for row in found.rows] == ['said "far"', '"odd', ""]

    def test_blank_rows_are_ignored_and_short_rows_end_in_empty_cells(self, tmp_path: Path) -> None:
        table = written(tmp_path / "t.txt", ELP_SIX, six()[:5], ["", "", ""], six(), [""])
        assert [row.row for row in read_annotations([table], label="Rumble").rows] == [2, 4]

    def test_a_decimal_comma_that_shifts_the_cells_is_refused(self, tmp_path: Path) -> None:
        table = written(
            tmp_path / "t.csv",
            ELP_SIX,
            ["1", "40", "10,5", "a.wav", "2,25", "marginal"],
            separator=",",
        )
        with pytest.raises(AnnotationError, match="expected 6 cells"):
            read_annotations([table], label="Rumble")

    def test_an_open_quote_in_a_comma_separated_table_is_refused(self, tmp_path: Path) -> None:
        table = written(tmp_path / "t.csv", ELP_SIX, six(remark='"odd'), six(), separator=",")
        with pytest.raises(AnnotationError, match="comma-separated text"):
            read_annotations([table], label="Rumble")


class TestErrors:
    @pytest.mark.parametrize(
        ("row", "column", "value", "expected"),
        [
            (six(offset="ten"), "File Offset (s)", "ten", "a number"),
            (six(offset=""), "File Offset (s)", "", "a number"),
            (six(offset="nan"), "File Offset (s)", "nan", "a number"),
            (six(offset="12,5"), "File Offset (s)", "12,5", "a number"),
            (six(offset="-3"), "File Offset (s)", "-3", "0 s or later"),
            (six(duration="-2"), "duration", "-2", "after the start"),
            (six(duration="0"), "duration", "0", "after the start"),
            (six(duration=""), "duration", "", "a number"),
            (six(name=""), "filename", "", "name of a file"),
            (["1", "high", *six()[2:]], "High Freq (Hz)", "high", "a number"),
        ],
    )
    def test_a_bad_cell_is_named_with_file_row_column_and_value(
        self, tmp_path: Path, row: list[str], column: str, value: str, expected: str
    ) -> None:
        table = written(tmp_path / "t.txt", ELP_SIX, six(), row, six(offset="99"))
        with pytest.raises(AnnotationError) as caught:
            read_annotations([table], label="Rumble")
        problem = caught.value.problem
        assert (problem.table, problem.row, problem.column, problem.value) == (
            str(table),
            3,
            column,
            value,
        )
        assert expected in problem.expected
        text = str(caught.value)
        assert all(
            part in text
            for part in (str(table), "row 3", repr(column), repr(value), problem.expected)
        )
        assert "\n" not in text

        found = read_annotations([table], label="Rumble", lenient=True)
        assert [row.row for row in found.rows] == [2, 4]
        assert found.problems == (problem,)

    def test_an_end_before_its_begin(self, tmp_path: Path) -> None:
        table = written(tmp_path / "x.txt", "Begin Time (s),End Time (s),Label", ["5", "4.5", "x"])
        with pytest.raises(
            AnnotationError,
            match=r"column 'End Time \(s\)' holds '4\.5'; expected an end after the start at 5 s",
        ):
            read_annotations([table])

    def test_an_unknown_header_says_what_was_found_and_what_is_needed(self, tmp_path: Path) -> None:
        table = written(tmp_path / "x.txt", "Selection,filename,duration", ["1", "a.wav", "3"])
        with pytest.raises(
            AnnotationError, match=r"found 'Selection, filename, duration'; .* missing file offset$"
        ):
            read_annotations([table])
        (tmp_path / "sound.txt").write_bytes(bytes(range(128, 256)) * 1000)
        with pytest.raises(AnnotationError) as caught:
            read_annotations([tmp_path / "sound.txt"])
        assert len(str(caught.value)) < 2000
        (tmp_path / "empty.txt").touch()
        with pytest.raises(AnnotationError, match="found 'no header'"):
            read_annotations([tmp_path / "empty.txt"])

    def test_a_missing_path_is_refused_even_when_lenient(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none.txt", tmp_path):
            with pytest.raises(AnnotationError, match=r"expected a (table|folder)"):
                read_annotations([path], lenient=True)

    def test_a_lenient_reading_skips_files_that_are_not_tables(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("rain all night\n")
        (tmp_path / "false.parquet").write_text("no parquet")
        good = written(tmp_path / "x.txt", "Begin Time (s),End Time (s),Label", ["1", "2", "x"])
        found = read_annotations(
            [tmp_path / "notes.txt", tmp_path / "false.parquet", good], lenient=True
        )
        assert len(found.rows) == 1
        assert [Path(problem.table).name for problem in found.problems] == [
            "notes.txt",
            "false.parquet",
        ]


@pytest.fixture
def found_in_x() -> list[Detection]:
    return [
        Detection("Rumble", 1.25, 4.5, 12.5, 60.0, 0.875),
        Detection("Gunshot", 7.0, 8.0, 50.0, 1500.0, 0.5, 13),
    ]


def framed(rows: Iterable[tuple[str, Sequence[Detection], datetime | None]]) -> pl.DataFrame:
    """A table of detections whose ids are those of a model with the hash `m`."""
    return detections_frame(
        (path, None, start, found, [detection_id(path, one, "m") for one in found])
        for path, found, start in rows
    )


class TestWriting:
    frequencies_hz = st.integers(min_value=0, max_value=96_000_000).map(lambda mhz: mhz / 1e3)
    detections = st.lists(
        st.builds(
            lambda label, start_us, length_us, low_hz, high_hz, score, count: Detection(
                label, start_us / 1e6, (start_us + length_us) / 1e6, low_hz, high_hz, score, count
            ),
            st.sampled_from(["Rumble", "Gunshot", "Roar, far", "éléphant"]),
            st.integers(min_value=0, max_value=10**11),
            st.integers(min_value=1, max_value=10**8),
            frequencies_hz,
            frequencies_hz,
            st.integers(min_value=0, max_value=10**6).map(lambda millionths: millionths / 1e6),
            st.none() | st.integers(min_value=1, max_value=1000),
        ),
        max_size=5,
    )

    @given(
        detections,
        st.sampled_from(["x.wav", "some folder/x.FLAC", r"L:\a\x.wav", "s3://bucket/x.wav"]),
    )
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_values_with_the_printed_decimals_are_read_back_from_raven_s_table(
        self, tmp_path: Path, detections: list[Detection], recording: str
    ) -> None:
        table = tmp_path / "x.selections.txt"
        write_raven(table, detections, recording)
        found = read_annotations([table])
        assert [
            Detection(
                row.event.label,
                row.event.start_s,
                row.event.end_s,
                row.event.low_hz,
                row.event.high_hz,
                row.score,
                row.event.shots,
            )
            for row in found.rows
            if row.event.low_hz is not None
            and row.event.high_hz is not None
            and row.score is not None
        ] == detections
        assert stems(found.recordings) == {"x"}

    def test_the_table_has_the_columns_of_a_raven_table_and_counts_from_one(
        self, tmp_path: Path, found_in_x: list[Detection]
    ) -> None:
        write_raven(tmp_path / "x.selections.txt", found_in_x, "sounds/x.wav")
        header, *rows = [
            line.split("\t") for line in (tmp_path / "x.selections.txt").read_text().splitlines()
        ]
        assert tuple(header) == RAVEN_COLUMNS
        assert [row[:3] for row in rows] == [
            ["1", "Spectrogram 1", "1"],
            ["2", "Spectrogram 1", "1"],
        ]
        assert rows[0][3:] == [
            "1.250000",
            "4.500000",
            "12.500",
            "60.000",
            "sounds/x.wav",
            "1.250000",
            "x.wav",
            "Rumble",
            "0.875000",
            "",
        ]
        assert rows[1][-2:] == ["0.500000", "13"]

    def test_nothing_found_is_a_header_alone(self, tmp_path: Path) -> None:
        write_raven(tmp_path / "x.selections.txt", [], "x.wav")
        assert (tmp_path / "x.selections.txt").read_text() == "\t".join(RAVEN_COLUMNS) + "\n"

    @pytest.mark.parametrize("name", ["a\tb.wav", "a\nb.wav"])
    def test_a_name_that_no_cell_can_hold_is_refused_and_leaves_nothing(
        self, tmp_path: Path, found_in_x: list[Detection], name: str
    ) -> None:
        with pytest.raises(ValueError, match="rename"):
            write_raven(tmp_path / "x.selections.txt", found_in_x, name)
        assert not list(tmp_path.iterdir())

    def test_a_writer_that_fails_keeps_the_file_that_was_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_csv(tmp_path / "d.csv", framed([]))
        before = (tmp_path / "d.csv").read_bytes()

        def half(_: pl.DataFrame, path: Path, **_options: object) -> None:
            path.write_text("half")
            raise OSError("disk full")

        monkeypatch.setattr(pl.DataFrame, "write_csv", half)
        with pytest.raises(OSError, match="disk full"):
            write_csv(tmp_path / "d.csv", framed([]))
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]

    def test_audacity_label_tracks(self, tmp_path: Path, found_in_x: list[Detection]) -> None:
        write_audacity(tmp_path / "x.txt", found_in_x)
        assert (
            tmp_path / "x.txt"
        ).read_text() == "1.250000\t4.500000\tRumble\n7.000000\t8.000000\tGunshot\n"

    def test_the_schema_is_the_same_with_and_without_detections(
        self, found_in_x: list[Detection]
    ) -> None:
        assert framed([]).schema == DETECTIONS_SCHEMA
        assert (
            framed([("x.wav", found_in_x, None), ("y.wav", [], None)]).schema == DETECTIONS_SCHEMA
        )

    def test_start_time_is_absolute_across_a_clock_change(self) -> None:
        start = datetime(2024, 10, 26, 12, tzinfo=ZoneInfo("Europe/Berlin"))
        day = [Detection("Rumble", 86_400.0, 86_401.0, 10.0, 40.0, 0.5)]
        frame = framed([("x.wav", day, start), ("y.wav", day, None)])
        assert frame["start_time"].to_list() == [start.astimezone(UTC) + timedelta(days=1), None]

    def test_a_start_without_a_zone_is_refused(self, found_in_x: list[Detection]) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            framed([("x.wav", found_in_x, datetime(2024, 1, 1))])  # noqa: DTZ001 - a naive time is the case under test

    @pytest.mark.parametrize(
        ("name", "write"), [("detections.parquet", write_parquet), ("detections.csv", write_csv)]
    )
    def test_detections_are_read_back_with_their_scores_from_parquet_and_csv(
        self,
        tmp_path: Path,
        found_in_x: list[Detection],
        name: str,
        write: Callable[[Path, pl.DataFrame], None],
    ) -> None:
        frame = framed([("in, out/x.wav", found_in_x, datetime(2024, 1, 1, tzinfo=UTC))])
        write(tmp_path / name, frame)
        found = read_annotations([tmp_path])
        assert [
            (row.recording.file, row.event.label, row.event.start_s, row.score, row.event.shots)
            for row in found.rows
        ] == [
            ("in, out/x.wav", "Rumble", 1.25, 0.875, None),
            ("in, out/x.wav", "Gunshot", 7.0, 0.5, 13),
        ]
        assert [row.row for row in found.rows] == [2, 3]

    def test_parquet_keeps_all_digits_and_csv_says_the_offset(self, tmp_path: Path) -> None:
        score = math.pi / 4
        frame = framed(
            [
                (
                    "x.wav",
                    [Detection("Rumble", 1 / 3, 2.0, 10.0, 40.0, score)],
                    datetime(2024, 1, 1, tzinfo=UTC),
                )
            ]
        )
        write_parquet(tmp_path / "d.parquet", frame)
        assert pl.read_parquet(tmp_path / "d.parquet").equals(frame)
        write_csv(tmp_path / "d.csv", frame)
        (row,) = pl.read_csv(tmp_path / "d.csv").iter_rows(named=True)
        assert (row["start_time"], row["count"]) == ("2024-01-01T00:00:00.333333+00:00", None)


class TestFolders:
    def test_a_run_s_folder_gives_each_detection_once_and_the_empty_recordings_too(
        self, tmp_path: Path, found_in_x: list[Detection]
    ) -> None:
        write_raven(tmp_path / "x.selections.txt", found_in_x, "in/x.wav")
        write_raven(tmp_path / "y.selections.txt", [], "in/y.wav")
        write_audacity(tmp_path / f"x{AUDACITY_SUFFIX}", found_in_x)
        frame = framed([("in/x.wav", found_in_x, None)])
        write_parquet(tmp_path / "detections.parquet", frame)
        write_csv(tmp_path / "detections.csv", frame)
        (tmp_path / "skipped.tsv").write_text("recording\treason\n")
        (tmp_path / "run.json").write_text("{}")
        found = read_annotations([tmp_path, tmp_path / "x.selections.txt"])
        assert Counter(row.recording.longest for row in found.rows) == {"in/x.wav": 2}
        assert stems(found.searched_empty) == {"y"}

    def test_the_parquet_file_is_read_instead_of_the_csv_file(
        self, tmp_path: Path, found_in_x: list[Detection]
    ) -> None:
        frame = framed([("in/x.wav", found_in_x, None)])
        write_parquet(tmp_path / "detections.parquet", frame)
        write_csv(tmp_path / "detections.csv", frame)
        assert [Path(row.table).suffix for row in read_annotations([tmp_path]).rows] == [
            ".parquet"
        ] * 2

    def test_folders_are_searched_with_all_folders_in_them_in_alphabetical_order(
        self, tmp_path: Path
    ) -> None:
        for name in ("b/2.txt", "b/deep/1.tsv", "a.CSV", ".hidden.txt"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            written(tmp_path / name, "Begin Time (s),End Time (s),Label", ["1", "2", "x"])
        found = read_annotations([tmp_path])
        assert [Path(row.table).relative_to(tmp_path).as_posix() for row in found.rows] == [
            "a.CSV",
            "b/2.txt",
            "b/deep/1.tsv",
        ]

    @pytest.mark.parametrize("raven", [True, False])
    def test_recordings_of_a_run_that_share_a_stem_stay_apart(
        self, tmp_path: Path, found_in_x: list[Detection], *, raven: bool
    ) -> None:
        sounds = {"a/x.wav": found_in_x[:1], "b/x.wav": found_in_x[1:], "b/y.wav": found_in_x}
        if raven:
            for path, name in output_names(list(sounds), "").items():
                table = tmp_path / f"{name}.selections.txt"
                table.parent.mkdir(exist_ok=True)
                write_raven(table, sounds[path], path)
        else:
            frame = framed((path, found, None) for path, found in sounds.items())
            write_parquet(tmp_path / "detections.parquet", frame)
        found = read_annotations([tmp_path])
        matched = match_annotations(found, names_index(found))
        assert {path: len(rows) for path, rows in matched.rows.items()} == {
            "a/x.wav": 1,
            "b/x.wav": 1,
            "b/y.wav": 2,
        }


class TestEvents:
    texts = st.text(
        st.characters(codec="utf-8", exclude_characters="\t\r\n"), min_size=1, max_size=12
    ).filter(lambda text: text == text.strip())
    events = st.lists(
        st.builds(
            lambda label, start_us, length_us, band, **remarks: Event(
                label, start_us / 1e6, (start_us + length_us) / 1e6, *band, **remarks
            ),
            st.sampled_from(["Rumble", "Gunshot", "Roar, far", '"quoted"', "éléphant"]),
            st.integers(min_value=0, max_value=10**11),
            st.integers(min_value=1, max_value=10**8),
            st.sampled_from([(None, None), (12.5, 60.0), (None, 1500.125)]),
            marginal=st.booleans(),
            shots=st.none() | st.integers(min_value=0, max_value=10**6),
            snr_db=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            note=texts | st.sampled_from(["", "marginal, shots=3", '"odd', "snr_db=4 ;", "faint"]),
        ),
        max_size=4,
    )

    @given(events)
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_written_events_are_read_back(self, tmp_path: Path, events: list[Event]) -> None:
        table = tmp_path / "x.selections.txt"
        write_events(table, events, tmp_path / "x.wav")
        found = read_table(table)
        assert [row.event for row in found.rows] == events
        assert {name.longest for name in found.recordings if events} <= {str(tmp_path / "x.wav")}
        assert not found.searched_in_part

    @pytest.mark.parametrize(
        ("column", "value"), [("Marginal", "maybe"), ("Shots", "-1"), ("SNR (dB)", "loud")]
    )
    def test_a_field_that_is_not_of_its_type_is_refused(
        self, tmp_path: Path, column: str, value: str
    ) -> None:
        cells = dict(zip(EVENT_COLUMNS, ["1", "", "1", "1", "2", "", "", "x.wav"], strict=False))
        cells |= {"File Offset (s)": "1", "Begin File": "x.wav", "Label": "Rumble", "Marginal": "0"}
        cells[column] = value
        row = [cells.get(name, "") for name in EVENT_COLUMNS]
        table = written(tmp_path / "x.txt", ",".join(EVENT_COLUMNS), row)
        with pytest.raises(AnnotationError, match=f"holds '{value}'"):
            read_table(table)

    def test_a_count_of_gunshots_is_read_and_that_of_other_sounds_is_not(
        self, tmp_path: Path
    ) -> None:
        header = "Begin Time (s),End Time (s),Begin File,File Offset (s),Tag 1,Count"
        rows = [
            ["20", "21", "a.flac", "20", "gunshots", "13"],
            ["30", "31", "a.flac", "30", "Gunshot", ""],
            ["40", "41", "a.flac", "40", "Gunshot", "several"],
            ["50", "51", "a.flac", "50", "Rumble", "1"],
        ]
        found = read_table(written(tmp_path / "t.txt", header, *rows))
        assert [(row.event.shots, row.event.note) for row in found.rows] == [
            (13, ""),
            (None, ""),
            (None, "shots several"),
            (None, ""),
        ]

    def test_tables_of_detections_that_have_no_counts_are_read(self, tmp_path: Path) -> None:
        header = "\t".join(RAVEN_COLUMNS[:-1])
        cells = [
            "1",
            "Spectrogram 1",
            "1",
            "1",
            "2",
            "",
            "",
            "x.wav",
            "1",
            "x.wav",
            "Gunshot",
            ".5",
        ]
        table = tmp_path / "x.selections.txt"
        table.write_text(header + "\n" + "\t".join(cells) + "\n")
        found = only(read_table(table))
        assert (found.score, found.event.shots) == (0.5, None)
        assert found.event.label == "Gunshot"

    def test_the_column_of_the_signal_to_noise_ratio_is_read(self, tmp_path: Path) -> None:
        header = "Begin Time (s),End Time (s),Begin File,File Offset (s),Tag 1,SNR (dB),Notes"
        rows = [
            ["20", "21", "a.flac", "20", "Gunshot", "8.6", "snr_db=3, far"],
            ["40", "41", "a.flac", "40", "Gunshot", "", "snr_db=3"],
        ]
        found = read_table(written(tmp_path / "t.txt", header, *rows))
        assert [(row.event.snr_db, row.event.note) for row in found.rows] == [
            (8.6, "far"),
            (3.0, ""),
        ]


class TestLabelMap:
    def table(self, path: Path) -> Path:
        rows = [["1", "2", "TIR"], ["3", "4", "shots"], ["5", "6", "barrissement"], ["7", "8", ""]]
        return written(path / "x.txt", "Begin Time (s),End Time (s),Label", *rows)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("map.csv", "tir,gunshot\nBarrissement,Roar\n"),
            ("map.tsv", "from\tto\r\nTir\tGunshot\r\n\r\nbarrissement\tRoar\r\n"),
            ("map.yaml", "tir: Gunshot\nBARRISSEMENT: Roar\n"),
            ("map.txt", "tir=Gunshot\n\nBarrissement = Roar\n"),
        ],
    )
    def test_labels_are_renamed_by_a_file(self, tmp_path: Path, name: str, content: str) -> None:
        (tmp_path / "maps").mkdir()
        file = tmp_path / "maps" / name
        file.write_text(content, newline="")
        labels = read_label_map([str(file), "rumble=Growl"])
        found = read_annotations([self.table(tmp_path)], label="rum", label_map=labels)
        assert [row.event.label for row in found.rows] == ["Gunshot", "Gunshot", "Roar", "Growl"]

    def test_labels_are_renamed_by_words_in_any_letter_case(self, tmp_path: Path) -> None:
        labels = {"tir": "Gunshot", "Gunshot": "Shot fired", "BARRISSEMENT": "Roar"}
        found = read_table(self.table(tmp_path), label="Roar", label_map=labels)
        assert [row.event.label for row in found.rows] == ["Gunshot", "Shot fired", "Roar", "Roar"]

    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            (["tir"], "tir: no such file, and not OLD=NEW"),
            (["=Gunshot"], "a label is empty"),
            (["tir= "], "a label is empty"),
            (["tir=Gunshot", "TIR=Rumble"], "TIR is renamed to both Gunshot and Rumble"),
        ],
    )
    def test_words_that_rename_nothing_are_refused(self, texts: list[str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_label_map(texts)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("map.csv", "tir,Gunshot,x\n", "row 1: 3 cells; two are expected"),
            ("map.csv", "a,b\nc,d,e\n", "row 2: 3 cells"),
            ("map.yaml", "- tir\n", "a mapping of labels is expected"),
            ("map.yaml", "tir: [a, b]\n", "a mapping of labels is expected"),
            ("map.yaml", "tir: {a: b\n\n", "not YAML"),
        ],
    )
    def test_a_file_that_is_not_a_map_is_refused_in_one_line(
        self, tmp_path: Path, name: str, content: str, message: str
    ) -> None:
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=message) as caught:
            read_label_map([str(tmp_path / name)])
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


class TestRecordingColumns:
    @pytest.mark.parametrize(
        "column", ["Filename", "File", "Sound file", "sound.files", "Begin Path", "Begin File"]
    )
    def test_a_column_that_names_the_recording_counts_before_the_table_s_name(
        self, tmp_path: Path, column: str
    ) -> None:
        header = f"Begin Time (s),End Time (s),Species,{column}"
        table = written(tmp_path / "all.txt", header, ["20", "21", "Gunshot", "siteA/x.wav"])
        name = only(read_table(table)).recording
        assert name.longest == "siteA/x.wav"
        assert recording_stem(name.file) == "x"

    def test_begin_path_counts_only_if_it_is_that_of_begin_file(self, tmp_path: Path) -> None:
        header = "Begin Time (s),End Time (s),Label,File Offset (s),Begin File,Begin Path"
        rows = [
            ["1", "2", "x", "1", "a.wav", r"E:\siteA\A.WAV"],
            ["1", "2", "x", "1", "b.wav", r"E:\siteA\a.wav"],
        ]
        table = written(tmp_path / "t.txt", header, *rows)
        assert [row.recording.path for row in read_table(table).rows] == [r"E:\siteA\A.WAV", ""]

    def test_the_file_offset_counts_where_only_the_path_names_the_file(
        self, tmp_path: Path
    ) -> None:
        header = "Begin Time (s),End Time (s),Label,Begin Path,File Offset (s)"
        rows = [
            ["7200.5", "7202", "x", "/rec/a.wav", "3.5"],
            ["9000", "9001", "x", "/rec/b.wav", "4"],
        ]
        found = read_table(written(tmp_path / "t.txt", header, *rows))
        assert [(row.event.start_s, row.event.end_s) for row in found.rows] == [(3.5, 5), (4, 5)]

    def test_names_that_r_writes_are_those_of_raven(self, tmp_path: Path) -> None:
        header = "Begin.Time..s.,End.Time..s.,Low.Freq..Hz.,Tag.1,Begin.File,File.Offset..s."
        table = written(tmp_path / "t.txt", header, ["9", "10", "5", "rumble", "a.wav", "3"])
        found = only(read_table(table))
        assert (found.event, found.recording.file) == (Event("Rumble", 3, 4, 5.0), "a.wav")


class TestDetectionIds:
    found = Detection("Rumble", 1.25, 4.5, 12.5, 60.0, 0.875)

    def test_ids_depend_on_what_was_found_where_and_by_which_model_alone(self) -> None:
        same = Detection("Rumble", 1.2500004, 4.5, 1.0, 2.0, 0.1)
        assert detection_id("a/x.wav", self.found, "m") == detection_id("a/x.wav", same, "m")
        others = {
            detection_id("a/x.wav", self.found, "m"),
            detection_id("b/x.wav", self.found, "m"),
            detection_id("a/x.wav", self.found, "n"),
            detection_id("a/x.wav", Detection("Gunshot", 1.25, 4.5, 12.5, 60.0, 0.875), "m"),
            detection_id("a/x.wav", Detection("Rumble", 1.251, 4.5, 12.5, 60.0, 0.875), "m"),
            detection_id("a/x.wav", Detection("Rumble", 1.25, 4.501, 12.5, 60.0, 0.875), "m"),
        }
        assert len(others) == 6
        assert all(len(one) == 16 and int(one, 16) >= 0 for one in others)

    def test_ids_are_those_of_the_first_release(self) -> None:
        assert detection_id("a/x.wav", self.found, "m") == "77bd7497a22eb6b8"

    def test_each_detection_has_its_id_and_its_site(self) -> None:
        frame = detections_frame([("r/a/x.wav", "a", None, [self.found] * 2, ["1", "2"])])
        assert frame.select("detection_id", "recording", "site").rows() == [
            ("1", "r/a/x.wav", "a"),
            ("2", "r/a/x.wav", "a"),
        ]
        with pytest.raises(ValueError, match="zip"):
            detections_frame([("r/a/x.wav", "a", None, [self.found] * 2, ["1"])])


def test_tables_are_known_by_the_addresses_of_their_copies(tmp_path: Path) -> None:
    good = written(tmp_path / "t.txt", ELP_SIX, six(), six("b.wav", remark="DUMMY_NoEles"), ["?"])
    found = read_annotations([good], label="Rumble", lenient=True)
    known = found.with_tables({str(good): "s3://bucket/t.txt"})
    tables = {row.table for row in known.rows} | {name.table for name in known.recordings}
    assert tables | {problem.table for problem in known.problems} == {"s3://bucket/t.txt"}
    assert [row.event for row in known.rows] == [row.event for row in found.rows]
    assert stems(known.searched_empty) == {"b"}


def test_by_recording_is_in_order_of_time(tmp_path: Path) -> None:
    table = written(tmp_path / "t.txt", ELP_SIX, six(offset="9"), six("b.wav"), six(offset="4"))
    found = read_annotations([table], label="Rumble").by_recording()
    assert {name.file: [row.event.start_s for row in rows] for name, rows in found.items()} == {
        "a.wav": [4.0, 9.0],
        "b.wav": [10.5],
    }


@pytest.mark.skipif(not REAL.is_dir(), reason="the field's own tables are not part of the project")
class TestRealTables:
    @pytest.mark.parametrize(
        ("name", "label", "events", "marginal", "empty", "recordings"),
        [
            ("nn_ele_hb_00-24hr_TrainingSet_v2.txt", "Rumble", 3180, 945, 0, 134),
            ("nn_ele_00-24hr_GeneralTest_v4.txt", "Rumble", 757, 220, 1, 29),
            ("nn_ele_00-24hr_ComplexTest_inc3NoEleDay.txt", "Rumble", 358, 39, 3, 30),
            ("NN_HH_det_perf_Handbrowse_clusters_forStanford.txt", "Rumble", 1196, 0, 0, 58),
            ("pnnn_guns_59_from_notebook.csv", "Gunshot", 59, 0, 0, 43),
            # 418 marked Gunshot less 32 duplicates, of which one also Not_gunshot; 229 Not_sure; 3
            # of 9,263 not reviewed
            (
                "Gabon_All_sites_selection_table_reviewed.txt",
                "Gunshot",
                386 + 229,
                1 + 229,
                8613,
                9263 - 32 - 3,
            ),
        ],
    )
    def test_counts(
        self, name: str, label: str, events: int, marginal: int, empty: int, recordings: int
    ) -> None:
        found = read_annotations([REAL / name], label=label)
        assert len(found.rows) == events
        assert {row.event.label for row in found.rows} == {label}
        assert sum(row.event.marginal for row in found.rows) == marginal
        assert (len(found.searched_empty), len(found.recordings), found.problems) == (
            empty,
            recordings,
            (),
        )

    def test_notes_of_the_hand_browse_clusters(self) -> None:
        found = read_annotations(
            [REAL / "NN_HH_det_perf_Handbrowse_clusters_forStanford.txt"], label="Rumble"
        )
        assert Counter(row.event.note for row in found.rows if row.event.note) == {
            "h": 271,
            "reject": 1,
        }
        training = read_annotations([REAL / "nn_ele_hb_00-24hr_TrainingSet_v2.txt"], label="Rumble")
        assert len(stems(found.recordings) & stems(training.recordings)) == 3

    def test_the_first_three_tables_share_no_recording(self) -> None:
        names = (
            "nn_ele_hb_00-24hr_TrainingSet_v2",
            "nn_ele_00-24hr_GeneralTest_v4",
            "nn_ele_00-24hr_ComplexTest_inc3NoEleDay",
        )
        found = [
            frozenset(stems(read_annotations([REAL / f"{name}.txt"], label="Rumble").recordings))
            for name in names
        ]
        assert len(frozenset.union(*found)) == sum(map(len, found))

    def test_lengths_and_times_of_real_events_are_plausible(self) -> None:
        found = read_annotations(
            [REAL / "nn_ele_00-24hr_ComplexTest_inc3NoEleDay.txt"], label="Rumble"
        )
        assert found.rows[0].event.start_s == 12551.679
        assert all(
            0.5 < row.event.duration_s < 15 and row.event.end_s < 93_100 for row in found.rows
        )
