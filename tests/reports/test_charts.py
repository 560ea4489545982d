"""Charts: whatever the numbers, a drawing that a browser takes and that shows them."""

import base64
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.reports import charts
from loyalty.reports.formats import whole

VALUES = st.lists(st.none() | st.integers(-(10**12), 10**15), min_size=1, max_size=12)
COUNTS = st.integers(0, 10**9)


def drawn(chart: charts.Chart) -> list[ET.Element]:
    """The elements of both forms of the chart, each checked to lie inside its frame."""
    image = base64.b64decode(chart.image().removeprefix("data:image/svg+xml;base64,")).decode()
    elements = []
    for source in (chart.inline(), image):
        root = ET.fromstring(source)  # noqa: S314 - our own drawing
        assert root.attrib["aria-label"].startswith(chart.title)
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for element in root.iter():
            for name in ("x", "x1", "x2", "cx"):
                assert -1 <= float(element.attrib.get(name, 0)) <= width + 1
            for name in ("y", "y1", "y2", "cy", "height"):
                assert -1 <= float(element.attrib.get(name, 0)) <= height + 1
        elements += list(root.iter())
    return elements


def words(elements: Sequence[ET.Element]) -> set[str]:
    """The texts of a drawing."""
    return {element.text for element in elements if element.tag.endswith("text") and element.text}


@given(values=VALUES)
def test_columns_and_lines_are_drawn_for_any_values(values: list[int | None]) -> None:
    """Law: no value, none at all, zero, or below zero: the drawing stays in its frame and shows the newest value."""
    labels = [f"M{month}" for month in range(len(values))]
    shown = words(drawn(charts.columns("Points", labels, values, whole)))
    drawn(charts.lines("Spend", labels, [("a", "Gold", values), ("b", "Silver", values[::-1])], whole))

    assert set(labels) <= shown
    assert values[-1] is None or whole(values[-1]) in shown


@given(changes=st.lists(st.integers(-(10**9), 10**12), max_size=5), opening=st.integers(-(10**6), 10**12))
def test_a_waterfall_is_drawn_for_any_changes(changes: list[int], opening: int) -> None:
    """Law: each step is written out, and the whole stays in its frame."""
    steps = [charts.Step("Opening", opening, whole(opening), level=True)]
    steps += [charts.Step(f"Step {number}", change, whole(change)) for number, change in enumerate(changes)]
    chart = charts.waterfall("Points", steps)

    assert {step.shown for step in steps} <= words(drawn(chart))
    assert chart.description == ", ".join(f"{step.label} {step.shown}" for step in steps)


@given(size=st.integers(1, 20), data=st.data())
def test_a_matrix_and_bars_are_drawn_for_any_counts(size: int, data: st.DataObject) -> None:
    """Law: every count of the matrix and every bar's text is written out."""
    counts = data.draw(st.lists(st.lists(COUNTS, min_size=size, max_size=size), min_size=size, max_size=size))
    names = [f"Tier {number}" for number in range(size)]
    rows = [
        charts.Bar(name, ((line[0], "a"), (-line[-1], "c")), whole(sum(line)))
        for name, line in zip(names, counts, strict=True)
    ]

    assert {whole(count) for line in counts for count in line} <= words(
        drawn(charts.matrix("Moves", names, counts, whole))
    )
    assert {row.shown for row in rows} <= words(drawn(charts.bars("Members", rows, (("a", "This"), ("c", "That")))))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\"Gold\" & 'more'", "]]>"])
def test_names_that_people_gave_are_text_in_a_drawing(name: str) -> None:
    """Law: a tier may be called anything; the drawing shows it and nothing else comes of it."""
    chart = charts.bars(name, [charts.Bar(name, ((5, "a"),), "5")])

    assert name in words(drawn(chart))
    assert "<script" not in chart.inline()


def test_an_image_brings_its_own_card_and_colours() -> None:
    """Law: an image is readable on any background: it has a card below it and a colour for each class it uses."""
    chart = charts.bars("Members", [charts.Bar("Gold", ((5, "a"), (1, "c")), "6")], (("a", "This"), ("c", "That")))
    image = base64.b64decode(chart.image().partition(",")[2]).decode()

    used = set(re.findall(r'class="(\w+)"', image)) - {"chart"}
    assert {style for style in used if f".{style}{{" not in image and f".{style}," not in image} == set()
    assert '<rect x=".5" y=".5"' in image
