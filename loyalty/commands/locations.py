"""`loyalty locations`: where members check in, and the code that each shows for a day."""

import io
from argparse import Namespace

import segno

from loyalty import clock
from loyalty.commands.terminal import moment, output, say, say_json, say_list
from loyalty.db import check_ins, triggers
from loyalty.db.engine import connect, transaction
from loyalty.db.programme import check_ready
from loyalty.errors import NotFound, WrongUse

_PIXELS = 8  # of a PNG for each square of the code


def add(given: Namespace) -> int:
    """Make a location known."""
    check_ready()
    with transaction() as connection:
        number = check_ins.add_location(connection, given.name, clock.now())
    say(f"location {number} is known")
    return 0


def show(given: Namespace) -> int:
    """List the locations."""
    check_ready()
    with connect() as connection:
        rows = check_ins.locations(connection)
    if given.json:
        say_json(rows)
    else:
        cells = ((row["location_no"], row["name"], moment(row["added_at"])) for row in rows)
        say_list("locations", ("location", "name", "added"), cells, right=("location",))
    return 0


def draw(given: Namespace) -> int:
    """Draw the code of a location for a day into a PNG or SVG file, or print its text."""
    check_ready()
    with transaction() as connection:
        found = check_ins.locations(connection, name=given.name)
        if not found:
            raise NotFound("there is no location of that name: `loyalty locations list` shows them")
        day = given.day or triggers.today(connection, clock.now())
        text = check_ins.code(connection, found[0]["location_no"], day, clock.now())
    if given.out is None:
        say(text)
        return 0
    with output(given.out) as file:
        file.write(picture(text, _format(given.out)))
    say(f"the code of {day} is in {given.out}")
    return 0


def picture(text: str, kind: str) -> bytes:
    """A QR code as a picture: `kind` is png or svg."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind=kind, scale=_PIXELS)
    return drawn.getvalue()


def _format(path: str) -> str:
    kind = path.rpartition(".")[2].lower()
    if kind not in {"png", "svg"}:
        raise WrongUse("the code is drawn into a file that ends in .png or .svg")
    return kind
