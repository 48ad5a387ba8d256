"""Site and start time from a file's name, as recorders and archives write them.

    nn01a_20180126_000000.wav            ELP archive: site, date, time
    20210722_005941.WAV                  AudioMoth: no site; 20210722_005941T.WAV if it was triggered
    SITE_20210722_005941.wav             SWIFT, Song Meter; also S4A03895_20190522_000000
    SITE_20210722_005941Z.wav            the name says itself that it is UTC; or the offset: 20210722T005941+0100
    5ADA897F.WAV                         first AudioMoths: seconds since 1970 (UTC) in hexadecimal; also 5ADA897F_more

Times of other names are wall-clock times of a zone that only the user knows: without it there is no start time, since a naive time would
be taken for some zone sooner or later. A name that goes on with a decimal number after the time is that of a clip cut out of a recording
(`nn01b_20180220_000000_57182231.0_57242231.0_cropped`, `IPA10ST__20210219_130001__14.46_0-14`): the time is not the clip's own, and is
left out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

__all__ = ["parse_name"]

SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{2,3}$")
DATED = re.compile(
    r"(?P<site>.*?)(?<!\d)(?P<date>\d{8})[_T-](?P<time>\d{6})(?!\d)"
    r"(?P<zone>(?:Z|[+-](?:0\d|1[0-4])(?:00|30|45))(?![0-9A-Za-z]))?(?P<rest>.*)",
    re.DOTALL,
)
HEXADECIMAL = re.compile(r"(?P<time>[0-9A-F]{8})(?P<rest>_.*)?", re.DOTALL)
CLIP = re.compile(r"\d\.\d")

SITE_ALIASES = {"dzan": "dz"}
"""Dzanga's tables write the one, its files the other."""

PLAUSIBLE_YEARS = range(2000, 2100)
"""Outside them a clock was not set, or a number is no time."""
AUDIOMOTH_YEARS = range(2016, 2030)
"""Those of the AudioMoths that wrote hexadecimal names; eight other letters and digits are seldom a time in them."""


def parse_name(name: str, timezone: ZoneInfo | None) -> tuple[str | None, datetime | None]:
    """Site and zoned start time from a file name, with or without its extension; None for what the name does not say.

    Args:
        timezone: of wall-clock times in names.

    >>> parse_name("S4A03895_20190522_000000Z.wav", timezone=None)[1].isoformat()
    '2019-05-22T00:00:00+00:00'
    """
    stem = SUFFIX.sub("", name)
    dated = DATED.fullmatch(stem)
    if dated is None:
        return None, _hexadecimal_time(stem)
    site = dated["site"].strip("_- .")
    start = None if CLIP.search(dated["rest"]) else _time(dated["date"] + dated["time"], dated["zone"], timezone)
    return SITE_ALIASES.get(site, site) or None, start


def _hexadecimal_time(stem: str) -> datetime | None:
    found = HEXADECIMAL.fullmatch(stem)
    if found is None or CLIP.search(found["rest"] or ""):
        return None
    time = datetime.fromtimestamp(int(found["time"], 16), UTC)
    return time if time.year in AUDIOMOTH_YEARS else None


def _time(digits: str, zone: str | None, timezone: ZoneInfo | None) -> datetime | None:
    """A zoned time; None if there is no such date, or no zone."""
    try:
        written = datetime.strptime(f"{digits}{zone or '+0000'}", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
    if zone is not None:
        return _plausible(written)
    return _plausible(written.replace(tzinfo=timezone)) if timezone is not None else None


def _plausible(time: datetime) -> datetime | None:
    return time if time.year in PLAUSIBLE_YEARS else None
