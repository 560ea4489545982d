"""Every block, by the same laws: one contract for all that the registry lists."""

import os
import re

import pytest

from blocks._settings_block import DOCUMENT, SettingsBlock
from blocks.registry import BLOCKS
from loyalty.settings import PREFIX, Settings

EXAMPLES = {
    "ProgrammeDatabase": {"url": "postgresql://somebody:secret@db.example.com/loyalty"},
    "MessageFiles": {"home": "/srv/loyalty"},
    "SendGridEmail": {"api_key": "SG.secret", "sender": "club@shop.example"},
    "MailServer": {"host": "mail.shop.example", "sender": "club@shop.example", "user": "club", "password": "secret"},
    "TwilioSms": {"account_sid": f"AC{'0' * 32}", "auth_token": "secret", "sender": "+15005550006"},
    "SlackStaff": {"webhook_url": "https://hooks.slack.com/services/T0/B0/secret"},
}

every_block = pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.__name__)


def _made(kind: type[SettingsBlock]) -> SettingsBlock:
    return kind(**EXAMPLES[kind.__name__])


@every_block
def test_a_block_tells_what_it_is(kind: type[SettingsBlock]) -> None:
    """Law: a name and slug of ours, a logo, a description, and for each field a title and a sentence."""
    described = {name: field.description or "" for name, field in kind.model_fields.items()}

    assert re.fullmatch(r"loyalty-[a-z-]+", kind.get_block_type_slug())
    assert str(kind._block_type_name).startswith("Loyalty ")
    assert (kind.get_description() or "").endswith(".")
    assert str(kind._logo_url).startswith("https://")
    assert [name for name, field in kind.model_fields.items() if not field.title] == []
    assert [name for name, description in described.items() if not description.endswith(".")] == []


@every_block
def test_a_block_shows_how_it_is_made(kind: type[SettingsBlock]) -> None:
    """Law: the example imports the block from its module and saves it under the name that flows look for."""
    example = kind.get_code_example() or ""

    assert f"from {kind.__module__} import {kind.__name__}" in example
    assert f'.save("{DOCUMENT}")' in example


@every_block
def test_a_block_yields_settings_that_the_library_knows(kind: type[SettingsBlock]) -> None:
    """Law: its settings are variables of Settings, and together they are valid."""
    settings = _made(kind).settings()
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}

    assert set(settings) <= known
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        assert Settings()


@every_block
def test_a_block_hides_its_secrets(kind: type[SettingsBlock]) -> None:
    """Law: no representation of a block shows a password."""
    assert "secret" not in repr(_made(kind))
    assert "secret" not in str(_made(kind))


def test_the_examples_are_of_all_blocks() -> None:
    """Law: a new block joins these tests by being in the registry, and needs an example here."""
    assert {kind.__name__ for kind in BLOCKS} == set(EXAMPLES)
    assert "LOYALTY_DATABASE_URL" not in os.environ  # no block is loaded at import
