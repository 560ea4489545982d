"""The rules file: what can be read, what is said of mistakes, and what is written."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import BadInput
from loyalty.rules.programme import Programme, Tier, Velocity
from loyalty.rules.toml import DEFAULT_FILE, LARGEST_FILE_BYTES, TABLES, kind_of, parse, read, to_toml
from tests.rules.programmes import kind, programmes, values

DEFAULT = to_toml(Programme())
INSTANT = "2026-01-01T00:00:00Z"
KEYS = [key for key in Programme.model_fields if key not in TABLES]

LADDER = """\
[[tiers]]
name = "Blue"
threshold = 10
[[tiers]]
name = "Green"
threshold = 10
voucher = 2.505
[[tiers]]
name = "BLUE"
threshold = 5
"""


def mistakes(text: str) -> list[str]:
    """Read text that is wrong, and give what is said of it, a line each."""
    with pytest.raises(BadInput) as error:
        parse(text)
    assert str(error.value) == "\n".join(error.value.mistakes)
    return [line.removeprefix("programme.toml: ") for line in error.value.mistakes]


@given(programmes())
def test_what_is_written_is_read_as_the_same(programme: Programme) -> None:
    """parse(to_toml(p)) == p, and writing that again gives the same text."""
    text = to_toml(programme)

    assert parse(text) == programme
    assert to_toml(parse(text)) == text


def test_default_file_is_the_default_programme() -> None:
    """The file that comes with the product says, comments and all, what the model's defaults are."""
    assert DEFAULT_FILE.read_text(encoding="utf-8") == DEFAULT
    assert read(DEFAULT_FILE) == Programme()


def test_missing_keys_take_their_defaults() -> None:
    """A file of an older release stays valid; a tier needs its name and threshold only."""
    assert parse("") == Programme()
    assert parse('[[tiers]]\nname = "All"\nthreshold = 0') == Programme(tiers=(Tier(name="All", threshold=0),))


@given(st.data())
@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith("sms_")])
def test_one_line_can_be_changed(key: str, data: st.DataObject) -> None:
    """Every key stands on its own line as `key = value`, so that a regular expression can change it alone."""
    value = data.draw(values(kind(Programme, key)))
    line = f"{key} = {kind(Programme, key).write(value)}"

    text, count = re.subn(rf"^{key} = .*$", lambda _: line, DEFAULT, count=1, flags=re.MULTILINE)

    changed = parse(re.sub("^voucher = .*$", "voucher = 0", text, flags=re.MULTILINE))
    worthless = tuple(tier.model_copy(update={"voucher": 0}) for tier in Programme().tiers)
    assert count == 1
    assert changed == Programme().model_copy(update={key: value, "tiers": worthless})


@pytest.mark.parametrize("key", KEYS)
def test_wrong_value_is_told_with_line_key_and_what_is_allowed(key: str) -> None:
    """An instant is allowed nowhere; a list of people is not repeated."""
    text = re.sub(rf"^{key} = .*$", f"{key} = {INSTANT}", DEFAULT, count=1, flags=re.MULTILINE)
    line = text[: text.index(f"\n{key} = ")].count("\n") + 2
    repeated = "" if key == "approvers" else ", not 2026-01-01 00:00:00+00:00"

    assert mistakes(text) == [f"line {line}: {key}: must be {kind(Programme, key).says}{repeated}"]


@pytest.mark.parametrize(
    ("line", "repeated"),
    [
        ("pending_days = 'x'", '"x"'),
        ("pending_days = 367", "367"),
        ("pending_days = 1.0", "1.0"),
        ("pending_days = true", "true"),
        ("pending_days = 0x" + "f" * 5000, "a number of very many digits"),
        ("pending_days = [1]", "a list"),
        ("pending_days = {}", "a table"),
        ("pending_days = '" + "x" * 50 + "'", '"' + "x" * 39 + "…"),
        ('expiry_months = "off"', '"off"'),
        ('review_above_points = "never"', '"never"'),
        ("rate = -0.1", "-0.1"),
        ("rate = 0.1000001", "0.1000001"),
        ("rate = 1e-9999999", "1E-9999999"),
        ("rate = inf", "Infinity"),
        ("rate = nan", "NaN"),
        ("rate = '0.1'", '"0.1"'),
        ("earning = 'daily'", '"daily"'),
        ("currency = 'usd'", '"usd"'),
        ("name = ''", '""'),
        ("name = ' x'", '" x"'),
        ('name = "a\\u2028b"', '"a?b"'),
        ("starts_on = '2026-02-30'", '"2026-02-30"'),
        ("sms_from = '24:00'", '"24:00"'),
        ("languages = []", "a list"),
        ("languages = ['en', 'en']", "a list"),
        ("languages = 'en'", '"en"'),
        ("tiers = []", "a list"),
        ("tiers = [1]", "a list"),
    ],
)
def test_values_that_are_not_allowed(line: str, repeated: str) -> None:
    """The wrong value stands in the error as in the file, on one line and cut short."""
    key = line.partition(" ")[0]

    assert mistakes(f"\n{line}\n") == [f"line 2: {key}: must be {kind_of(Programme, key).says}, not {repeated}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sms_from = '21:00'", ['sms_until: must be later than sms_from, which is "21:00", not "21:00"']),
        ("rte = 0.1", ["line 1: rte: no rule has this name; did you mean rate?"]),
        ("[colours]\nx = 1", ["line 1: colours: no rule has this name"]),
        ('"a\\nb" = 1', ['line 1: "a\\nb": no rule has this name']),
        (
            "[[tiers]]\nmultiplyer = 2",
            [
                f"line 1: tier 1: name: must be given: {kind(Tier, 'name').says}",
                f"line 1: tier 1: threshold: must be given: {kind(Tier, 'threshold').says}",
                "line 2: tier 1: multiplyer: no rule has this name; did you mean multiplier?",
            ],
        ),
        (
            LADDER,
            [
                "line 3: tier 1: threshold: must be 0 for the first tier, not 10",
                "line 6: tier 2: threshold: must be above that of the tier before, 10, not 10",
                "line 7: tier 2: voucher: must have at most 2 decimals, as USD has, not 2.505",
                "line 9: tier 3: name: must differ from that of tier 1",
                "line 10: tier 3: threshold: must be above that of the tier before, 10, not 5",
            ],
        ),
        (
            "voucher_days = 0\napprovers = [\n  'someone@example.com',\n]\nhold_months = -1\n",
            [
                "line 1: voucher_days: must be a whole number from 1 to 3660, not 0",
                f"line 2: approvers: must be {kind(Programme, 'approvers').says}",
                "line 5: hold_months: must be a whole number from 0 to 120, not -1",
            ],
        ),
        ("rate = 0.1\r\nrat = 1\r\n", ["line 2: rat: no rule has this name; did you mean rate?"]),
        (
            "approvers = [\n'''\nhold_months = 1\n''']\n# hold_months = 2\nhold_months = -1",
            [
                f"line 1: approvers: must be {kind(Programme, 'approvers').says}",
                "line 6: hold_months: must be a whole number from 0 to 120, not -1",
            ],
        ),
    ],
)
def test_all_mistakes_are_told_at_once(text: str, told: list[str]) -> None:
    """One line for each mistake, in the order of the file, with its line, its key and what is allowed."""
    assert mistakes(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("review_days = off", "line 1: not valid TOML at column 15: Invalid value; words stand in quotes"),
        ('\nname = "a\n', "line 2: not valid TOML at column 10: Illegal character '\\n'"),
        ("rate = 1\nrate = 2", "line 2: not valid TOML at column 9: Cannot overwrite a value"),
        ("approvers = [", "not valid TOML: Invalid value (at end of document)"),
        ("rate = " + "9" * 5000, "not valid TOML: a number is too large to be read"),
        ("rate = 1e9999999999999999999999", "not valid TOML: a number is too large to be read"),
        ("approvers = " + "[" * 30_000, "not valid TOML: brackets are nested too deeply"),
    ],
)
def test_what_is_no_toml_is_told_in_one_line(text: str, told: str) -> None:
    """Where the text stops being TOML, and why."""
    assert mistakes(text) == [told]


@given(st.text() | st.lists(st.sampled_from([*DEFAULT.splitlines(), "=", "'", "[", "x = 1"])).map("\n".join))
def test_any_text_is_rules_or_lines_of_mistakes(text: str) -> None:
    """Whatever stands in the file, it is read or refused with mistakes of one line each."""
    told: tuple[str, ...] = ()
    try:
        parse(text)
    except BadInput as error:
        told = error.mistakes

    assert [line.splitlines() for line in told] == [[line] for line in told]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'name = "x"\nlanguages = "\xff"', "shop.toml: line 2: not UTF-8; save the file as UTF-8"),
        (b"#" * (LARGEST_FILE_BYTES + 1), "shop.toml: a rules file has at most 65536 bytes"),
        (b"rate = x", "shop.toml: line 1: not valid TOML at column 8: Invalid value; words stand in quotes"),
    ],
)
def test_unreadable_file_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    """Broken UTF-8, too much of it and broken TOML are each one line that names the file."""
    file = tmp_path / "shop.toml"
    file.write_bytes(content)

    with pytest.raises(BadInput) as error:
        read(file)

    assert str(error.value) == told


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """So is a file that is not there, or is a folder."""
    with pytest.raises(BadInput) as missing:
        read(tmp_path / "none.toml")
    with pytest.raises(BadInput) as folder:
        read(tmp_path)

    assert str(missing.value) == f"{tmp_path}/none.toml: can't be read: No such file or directory"
    assert str(folder.value) == f"{tmp_path}: can't be read: Is a directory"


def test_files_of_other_editors_are_read(tmp_path: Path) -> None:
    """A byte order mark and lines that end in CR LF do no harm."""
    file = tmp_path / "shop.toml"
    file.write_bytes(b"\xef\xbb\xbf" + DEFAULT.replace("\n", "\r\n").encode())

    assert read(file) == Programme()


def test_a_wrong_limit_is_told_with_its_line() -> None:
    """Law: a limit needs most or hours, as its kind asks, and takes nothing that means nothing there."""
    limits = """\
[[velocity]]
kind = "earn"
[[velocity]]
kind = "refund_after_redemption"
hours = 3
most = 3
per = "till"
"""
    unknown = '[[velocity]]\nkind = "buy"\nmots = 3'

    assert mistakes(limits) == [
        'line 1: limit 1: most: must be given where kind is "earn"',
        'line 6: limit 2: most: means nothing where kind is "refund_after_redemption": leave it out',
        'line 7: limit 2: per: means nothing where kind is "refund_after_redemption": leave it out',
    ]
    assert mistakes(unknown) == [
        f'line 2: limit 1: kind: must be {kind(Velocity, "kind").says}, not "buy"',
        "line 3: limit 1: mots: no rule has this name; did you mean most?",
    ]
