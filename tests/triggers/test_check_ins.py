"""Check-ins by the code of a location: scanned from its picture, once a day, worth nothing tomorrow."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import zxingcpp
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from loyalty.commands.locations import picture
from loyalty.errors import AlreadyGiven, BadInput, Refused
from tests.till.test_at_once import at_once
from tests.triggers.conftest import JANUARY, Open


def scanned(png: bytes) -> str:
    """What a camera reads from a PNG."""
    (found,) = zxingcpp.read_barcodes(pixels(png))
    return str(found.text)


def pixels(png: bytes) -> np.ndarray:
    """The grey pixels of a PNG of one bit a pixel, which is what codes are drawn as."""
    at, data, width, height = 8, b"", 0, 0
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert (depth, colour) == (1, 0)
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, -1)
    rows = np.zeros((height + 1, lines.shape[1] - 1), np.uint8)
    for number, line in enumerate(lines):
        assert line[0] in {0, 2}  # as it is, or less the line above
        rows[number + 1] = line[1:] + (rows[number] if line[0] else 0)
    return np.unpackbits(rows[1:], axis=1)[:, :width] * np.uint8(255)


def test_the_code_scanned_from_its_picture_checks_in(desk: Open) -> None:
    """Law: what a camera reads from the picture is the code; of 64 who bring it at once for a member, one counts."""
    shop = desk(check_in_points=4)
    shop.put("C1")
    shop.put("C2")
    code = scanned(picture(shop.code(shop.location("Berlin 3"), JANUARY), "png"))

    done = [one for one in at_once(lambda _: shop.check_in("C1", code, JANUARY)) if one]
    shop.check_in("C2", code, JANUARY)

    assert [(one.location, one.day.isoformat(), one.given.balance) for one in done] == [("Berlin 3", "2026-01-10", 4)]
    assert [row[:3] for row in shop.grants()] == [
        ("C1", "check_in", "2026-01-10 1"),
        ("C2", "check_in", "2026-01-10 1"),
    ]
    assert b"<svg" in picture(code, "svg")
    assert shop.till.wrong() == {}


def test_a_code_that_is_not_ours_is_refused(desk: Open) -> None:
    """Law: no symbol of a code can be changed, and nothing else is a code."""
    shop = desk(check_in_points=4)
    shop.put("C1")
    number = shop.location("Berlin 3")
    shop.location("Berlin 4")
    code = shop.code(number, JANUARY)
    forged = [
        code[:-1] + ("A" if code[-1] != "A" else "E"),
        code.replace(f":{number}:", ":2:"),
        code.replace("20260110", "20260111"),
        "LOYALTY:1:20261345:" + code[-26:],
        "https://example.com",
        "",
    ]
    for shown in forged:
        with pytest.raises(BadInput, match="not the code of a location"):
            shop.check_in("C1", shown, JANUARY)
    assert shop.grants() == []


@settings(max_examples=3, phases=(Phase.explicit, Phase.generate))
@given(
    zone=st.sampled_from(["America/New_York", "Asia/Beirut", "UTC"]),
    day=st.sampled_from(["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2026-12-31"]),
    grace=st.integers(0, 720),
)
def test_a_code_is_good_on_its_day_and_for_the_grace(desk: Open, zone: str, day: str, grace: int) -> None:
    """Law: to the minute, over changes of the clocks and the year's end; then, and before, it is worth nothing."""
    shop = desk(zone=zone, check_in_points=4, check_in_grace_minutes=grace)
    begins = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    next_day = datetime.fromisoformat(day) + timedelta(days=1)
    ends = next_day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=grace)
    code = shop.code(shop.location("Berlin 3"), begins)
    second = timedelta(seconds=1)
    tried = {"C1": begins - second, "C2": begins, "C3": ends - second, "C4": ends}
    good = []
    refused = {}
    for customer, now in tried.items():
        shop.put(customer, begins)
        try:
            good.append((customer, shop.check_in(customer, code, now).day.isoformat()))
        except Refused as error:
            refused[customer] = str(error)

    assert refused == {
        "C1": "the code is for a day that is still to come",
        "C4": "the code has expired: scan the one that the location shows today",
    }
    assert good == [("C2", day), ("C3", day)]
    with pytest.raises(AlreadyGiven):
        shop.check_in("C2", code, ends - second)


def test_a_location_is_known_by_one_name(desk: Open, tmp_path: Path) -> None:
    """Law: a second location of a name is refused; each has its own code."""
    shop = desk(check_in_points=4)
    one, other = shop.location("Berlin 3"), shop.location("Berlin 4")
    with pytest.raises(Refused, match="of that name already"):
        shop.location("Berlin 3")

    assert shop.code(one, JANUARY) != shop.code(other, JANUARY)
