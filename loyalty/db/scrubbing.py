"""A person's words found and taken where others wrote them: events as they came, answers kept, notes.

An address or a telephone number is the person's wherever it stands. An id may be a short word that means something
else elsewhere ("7"), so it counts only as the value of a customer's or member's field. The database finds what may be
it by the bytes, here it is read.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

from sqlalchemy import Connection, Row

from loyalty.db.statements import run

_LONG_ENOUGH = 6  # of an id in a text that is no JSON: a shorter one may stand there by chance
_OWNERS = ("customer", "member")


@dataclass(frozen=True, slots=True)
class Words:
    """A person's ids, as they are, and addresses and numbers in small letters."""

    ids: frozenset[str]
    addresses: frozenset[str]

    def patterns(self) -> list[str]:
        """What the bytes of a text have, in small letters, if it has one of the words, in JSON or not."""
        written = {form for word in self.ids | self.addresses for form in _written(word)}
        return sorted(form.lower() for form in written)

    def stand_in(self, said: bytes | str | None) -> bool:
        """Whether a text is about the person."""
        if said is None:
            return False
        try:
            return any(self._is_theirs(owned, value) for owned, value in _values(json.loads(said)))
        except ValueError:
            text = said if isinstance(said, str) else said.decode("utf-8", "replace")
            text = f"{text}\n{unquote_plus(text)}"  # a form
            return any(word in text for word in self.ids if len(word) >= _LONG_ENOUGH) or self._named_in(text)

    def left_over(self, said: bytes | None) -> bytes | None:
        """What is not about the person of an array of events that came together; None for all else."""
        try:
            told = json.loads(said or b"")
        except ValueError:
            return None
        if not isinstance(told, list):
            return None
        left = [each for each in told if not any(self._is_theirs(owned, value) for owned, value in _values(each))]
        return json.dumps(left).encode() if left else None

    def _is_theirs(self, owned: bool, value: str) -> bool:
        return (owned and value in self.ids) or self._named_in(value)

    def _named_in(self, text: str) -> bool:
        """Whether an address or number stands in a text, and not as part of a longer one."""
        return any(re.search(rf"(?<![\w.+-]){re.escape(word)}(?![\w-]|\.\w)", text.lower()) for word in self.addresses)


def words_of(connection: Connection, members: Sequence[int]) -> Words:
    """Read the words of members."""
    rows = run(connection, "identity/words_of", members=members).all()
    return Words(frozenset(row.word for row in rows if row.is_id), frozenset(r.word for r in rows if not r.is_id))


def events_about(connection: Connection, words: Words) -> list[Row[Any]]:
    """Read the events that are about a person: source, event_id, state, body and answer."""
    return [
        event
        for event in run(connection, "identity/events_naming", patterns=words.patterns()).all()
        if words.stand_in(None if event.body is None else bytes(event.body)) or words.stand_in(event.answer)
    ]


def scrub(connection: Connection, words: Words, now: datetime) -> None:
    """Take a person's words from events, answers and notes. Events that wait or are held are dropped.

    Of events of several people that came together, and wait, those of the others stay.
    """
    for event in events_about(connection, words):
        left = None if event.state == "applied" or event.body is None else words.left_over(bytes(event.body))
        run(connection, "identity/scrub_event", source=event.source, event_id=event.event_id, left_over=left, at=now)
    for answer in run(connection, "identity/answers_naming", patterns=words.patterns()).all():
        if words.stand_in(answer.body):
            run(connection, "identity/drop_answer", key_no=answer.key_no, idempotency_key=answer.idempotency_key)
    in_notes = [word.lower() for word in words.ids if len(word) >= _LONG_ENOUGH]
    run(connection, "identity/scrub_notes", words=[*in_notes, *sorted(words.addresses)])


def _written(word: str) -> Iterator[str]:
    """A word as it is, as JSON and forms have it, and as each looks when PostgreSQL writes bytes out ('escape')."""
    in_json = (json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])
    for form in (word, *in_json, quote(word), quote_plus(word)):
        yield form
        escaped = form.encode().replace(b"\\", b"\\\\")
        yield "".join(chr(byte) if byte < 1 << 7 else f"\\{byte:03o}" for byte in escaped)


def _values(said: Any, owned: bool = False) -> Iterator[tuple[bool, str]]:
    """Every value of a JSON text, as text, and whether it is a customer's or member's."""
    if isinstance(said, dict):
        for key, value in said.items():
            yield from _values(value, owned or any(owner in key.lower() for owner in _OWNERS))
    elif isinstance(said, list):
        for value in said:
            yield from _values(value, owned)
    elif said is not None:
        yield owned, str(said)
