"""Names of recordings: the parts of paths, roots, outputs that mirror the tree, and sites."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loxo.recordings import (
    SiteRule,
    base_name,
    common_root,
    output_names,
    path_below,
    read_site_rule,
    recording_stem,
    site_of,
    table_recording,
)
from loxo.recordings.names import path_parts

COMPOSED, DECOMPOSED, UPPER = "\u00e9", "e\u0301", "\u00c9"
"""One letter in the Unicode forms NFC and NFD, and as a capital."""
PARTS = st.sampled_from(
    [*"abAxX", COMPOSED, DECOMPOSED, UPPER, "\u00df", "SS", "x.wav", "x.flac", "x~1", "..", "c:"]
)
FILES = st.sampled_from(
    ["x.wav", "X.WAV", "x.flac", "x", ".wav", "x.wav.wav", "b\\x.wav"]
    + [f"{letter}.wav" for letter in (COMPOSED, DECOMPOSED, UPPER)]
)
PATHS = st.tuples(st.lists(PARTS, max_size=3), FILES).map(
    lambda both: "/".join([*both[0], both[1]])
)
ROOTS = st.sampled_from(["", "r", "/data/r", "s3://bucket/r", "C:\\data", "https://host/r"])


# ---- parts of a path


@pytest.mark.parametrize(
    ("path", "base", "stem"),
    [
        ("nn01a_20180126_000000.wav", "nn01a_20180126_000000.wav", "nn01a_20180126_000000"),
        ("/data/nn01a.FLAC", "nn01a.FLAC", "nn01a"),
        (r"L:\ELP\dz\dzan_2013.WAV", "dzan_2013.WAV", "dzan_2013"),
        ("s3://bucket/wav/nn01a/nn01a.wav", "nn01a.wav", "nn01a"),
        ("https://host/a%20b/x%20y.wav?key=1#t", "x y.wav", "x y"),
        ("s3://bucket/100%25/x?.wav", "x?.wav", "x?"),
        ("site__603.52_0.55_gun5.wav", "site__603.52_0.55_gun5.wav", "site__603.52_0.55_gun5"),
        ("site__603.52_0.55_gun5", "site__603.52_0.55_gun5", "site__603.52_0.55_gun5"),
        ("a/.wav", ".wav", ".wav"),
        ("a/x.wav.wav", "x.wav.wav", "x.wav"),
        ("a/x.mp4", "x.mp4", "x"),
        ("", "", ""),
    ],
)
def test_base_names_and_stems(path: str, base: str, stem: str) -> None:
    assert (base_name(path), recording_stem(path)) == (base, stem)


@pytest.mark.parametrize(
    "table",
    ["a/x.Table.1.selections.txt", "a/x.selections.txt", "a/x.txt", "a/x.TSV", "a/x.csv", "a/x"],
)
def test_a_table_is_called_like_its_recording(table: str) -> None:
    assert table_recording(table) == "a/x"


# ---- roots


@pytest.mark.parametrize(
    ("paths", "root"),
    [
        ([], ""),
        (["x.wav"], ""),
        (["/x.wav"], ""),
        (["/data/a/x.wav"], "/data/a"),
        (["/data/a/x.wav", "/data/ab/x.wav"], "/data"),
        (["a/x.wav", "b/x.wav"], ""),
        (["a/b/x.wav", "a/x.wav"], "a"),
        (["s3://bucket/a/x.wav", "s3://bucket/b/x.wav"], "s3://bucket"),
        (["s3://one/x.wav", "s3://two/x.wav"], ""),
        (["https://host/a/x.wav"], "https://host/a"),
        (["https://one/x.wav", "https://two/x.wav"], ""),
        (["C:\\a\\x.wav", "C:\\b\\x.wav"], "C:"),
        (["C:\\a\\x.wav", "D:\\a\\x.wav"], ""),
    ],
)
def test_the_root_is_the_deepest_folder_that_holds_all(paths: list[str], root: str) -> None:
    assert common_root(paths) == root


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("r/a/x.wav", "r", "a/x.wav"),
        ("r/a/x.wav", "r/", "a/x.wav"),
        ("./r/a/x.wav", "r", "a/x.wav"),
        ("r/x.wav", "r/x.wav", "r/x.wav"),
        ("rr/x.wav", "r", "rr/x.wav"),
        ("s3://bucket/wav/a/x.wav", "s3://bucket/wav", "a/x.wav"),
        ("s3://bucket/wav//a/x.wav", "", "bucket/wav/a/x.wav"),
        ("https://host/a%20b/x.wav", "https://host", "a b/x.wav"),
        ("C:\\a\\x.wav", "", "C/a/x.wav"),
        ("/data/../../x.wav", "", "data/x.wav"),
        ("https://host/%2e%2e/%2e%2e/x.wav", "https://host", "x.wav"),
    ],
)
def test_a_path_below_its_root(path: str, root: str, below: str) -> None:
    assert path_below(path, root) == below


@given(st.lists(PATHS, min_size=1, max_size=6), ROOTS)
def test_every_path_lies_below_the_root_that_all_share(paths: list[str], root: str) -> None:
    whole = [f"{root}/{path}" for path in paths]
    shared = common_root(whole)
    inside = [path_parts(path) for path in whole]
    assert all(parts[: len(path_parts(shared))] == path_parts(shared) for parts in inside)


# ---- outputs


def folded_nfc(name: str) -> str:
    """What file systems take for equal that know no letter case and no Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


@given(st.lists(PATHS, max_size=8), ROOTS)
@settings(deadline=None)
def test_no_two_recordings_share_an_output(paths: list[str], root: str) -> None:
    whole = [f"{root}/{path}" if root else path for path in paths] + paths
    names = output_names(whole, root)
    assert names.keys() == set(whole)
    assert len({folded_nfc(name) for name in names.values()}) == len(names)
    assert len({folded_nfc(unicodedata.normalize("NFD", name)) for name in names.values()}) == len(
        names
    )


@given(st.lists(PATHS, max_size=6), ROOTS)
def test_outputs_mirror_the_tree_of_the_recordings(paths: list[str], root: str) -> None:
    whole = [f"{root}/{path}" if root else path for path in paths]
    for path, name in output_names(whole, root).items():
        *folders, own = path_parts(name)
        *above, file = path_parts(path_below(path, root))
        assert folders == above
        assert own.startswith(recording_stem(file))
        assert ".." not in folders
        assert not name.startswith("/")
        assert own


@given(st.lists(PATHS, max_size=6))
def test_outputs_do_not_depend_on_order_and_repetition(paths: list[str]) -> None:
    assert output_names(paths[::-1] + paths, "") == output_names(paths, "")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["nn01/x.wav", "nn01_x.wav", "nn02/x.wav"], ["nn01/x", "nn01_x", "nn02/x"]),
        (["a/x.wav", "a/x.flac", "b/x.wav"], ["a/x.wav", "a/x.flac", "b/x"]),
        (["x.wav", "X.flac"], ["x.wav", "X.flac"]),
        (["x.wav.wav", "x.wav", "x.flac"], ["x.wav.wav", "x.wav", "x.flac"]),
    ],
)
def test_extensions_are_kept_where_stems_are_equal(paths: list[str], names: list[str]) -> None:
    assert list(output_names(paths, "").values()) == names


def test_a_hash_tells_spellings_of_one_name_apart_and_survives_a_move() -> None:
    here = output_names(["r/x.wav", "r/X.WAV", "r/y.wav"], "r")
    there = output_names(["s/t/x.wav", "s/t/X.WAV", "s/t/y.wav"], "s/t")
    assert list(here.values()) == list(there.values())
    assert here["r/y.wav"] == "y"
    assert [name.partition("~")[0] for name in here.values()] == ["x.wav", "X.WAV", "y"]


# ---- sites


@pytest.mark.parametrize(
    ("path", "site"),
    [
        ("rec/siteA/20210722_005941.WAV", "siteA"),
        (r"E:\survey\siteA\20210722_005941.WAV", "siteA"),
        ("rec/siteA/5ADA897F.WAV", "siteA"),
        ("rec/siteA/nn01a_20180126_000000.wav", "nn01a"),
        ("rec/dzan_20130101_180000.wav", "dz"),
        ("s3://bucket/siteA/20210722_005941.WAV", "siteA"),
        ("s3://bucket/20210722_005941.WAV", None),
        ("https://host/20210722_005941.WAV", None),
        ("https://host/site%20A/20210722_005941.WAV", "site A"),
        (r"E:\20210722_005941.WAV", None),
        ("../20210722_005941.WAV", None),
        ("20210722_005941.WAV", None),
        ("", None),
    ],
)
def test_the_site_is_in_the_name_or_is_the_folder(path: str, site: str | None) -> None:
    assert site_of(path) == site
    assert SiteRule().site(path) == site


@pytest.mark.parametrize(
    ("level", "site"),
    [(1, "gabon"), (2, "siteA"), (3, "day1"), (4, None), (-1, "day1"), (-3, "gabon"), (-4, None)],
)
def test_a_level_of_folders_is_counted_below_the_root(level: int, site: str | None) -> None:
    rule = read_site_rule(str(level))
    for path, root in [
        ("/data/gabon/siteA/day1/x.wav", "/data"),
        ("s3://bucket/gabon/siteA/day1/x.wav", "s3://bucket"),
        (r"E:\data\gabon\siteA\day1\x.wav", r"E:\data"),
    ]:
        assert rule.site(path, root) == site


def test_a_rule_that_gives_no_recording_a_site_is_refused() -> None:
    paths = ["/rec/siteA/x.wav", "/rec/siteB/x.wav"]
    assert SiteRule(level=1).sites(paths, "/rec") == dict(
        zip(paths, ["siteA", "siteB"], strict=True)
    )
    for rule in (SiteRule(level=9), SiteRule(folders={"siteC": "c"})):
        with pytest.raises(ValueError, match=r"^--site-from: no recording gets a site, such as"):
            rule.sites(paths, "/rec")
    assert SiteRule().sites(["20210722_005941.wav"]) == {"20210722_005941.wav": None}
    assert SiteRule(level=9).sites([], "/rec") == {}


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_gives_the_sites_of_recordings(tmp_path: Path, separator: str, mark: str) -> None:
    rows = [
        ["Recording", "note", " site "],
        ["siteA/x.WAV", "", "north"],
        [r"E:\survey\siteB\x.WAV", "", "south"],
        ["y", "", "west"],
        ["z", "", ""],
    ]
    table = tmp_path / "sites.csv"
    table.write_text(mark + "".join(separator.join(row) + "\n" for row in rows), encoding="utf-8")
    rule = read_site_rule(str(table))
    sites = [
        rule.site(f"/data/rec/{path}", "/data/rec")
        for path in ("SITEA/X.wav", "siteB/x.flac", "siteC/x.wav", "q/y.wav", "z.wav")
    ]
    assert sites == ["north", "south", None, "west", None]


def test_the_innermost_folder_gives_the_site(tmp_path: Path) -> None:
    table = tmp_path / "sites.csv"
    table.write_text("folder,site\nsiteA,north\nsiteA/creek,creek\n/data/rec/siteB,south\n")
    rule = read_site_rule(str(table))
    paths = ("siteA/x.wav", "siteA/creek/x.wav", "siteB/day/x.wav", "siteC/x.wav", "x.wav")
    sites = [rule.site(f"/data/rec/{path}", "/data/rec") for path in paths]
    assert sites == ["north", "creek", "south", None, None]


def test_a_folder_is_known_even_if_it_is_the_root() -> None:
    rule = SiteRule(folders={"siteA": "north"})
    assert rule.site("/data/siteA/x.wav", "/data/siteA") == "north"


def test_the_longest_path_of_a_recording_counts() -> None:
    rule = SiteRule(recordings={"x": "anywhere", "siteA/x": "north", "siteA/q/x": "far"})
    paths = ("siteA/x.wav", "siteB/x.wav", "siteA/q/x.wav")
    assert [rule.site(path) for path in paths] == ["north", "anywhere", "far"]
    assert SiteRule(recordings={"a/x": "one", "b/x": "two"}).site("x.wav") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "recording,place\nx,a\n",
            "its columns are recording,place; recording,site or folder,site",
        ),
        ("", "recording,site or folder,site are needed"),
        ("recording,site\nx,a\nx,b\n", "x has two sites, a and b"),
        ("\0,\ud800", "neither a level of folders"),
    ],
)
def test_a_table_without_sites_is_refused_in_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    table = tmp_path / "sites.csv"
    table.write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(ValueError, match=message) as caught:
        read_site_rule(str(table))
    assert str(table) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["0", "-0", "+-1", "--1", "none.csv", ""])
def test_what_is_neither_a_level_nor_a_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--site-from"):
        read_site_rule(text)


def test_without_a_rule_the_path_gives_the_site() -> None:
    assert read_site_rule(None).site("siteA/20210722_005941.WAV") == "siteA"
