"""The file itself: what can't be read is told before anything is loaded; what can is read alike whatever its form."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from loyalty.db.imports import import_members, import_rates, import_transactions
from loyalty.db.imports.csv_file import Columns, CsvFile
from loyalty.db.imports.rejected import rejected_path
from loyalty.errors import BadInput

HEADER = "transaction_id,customer_id,occurred_at,amount"
COLUMNS = Columns(required=("a", "b"), optional=("c",), free=frozenset({"c"}))


def records(path: Path) -> list[tuple[int, list[str], str | None]]:
    """Every row with its line, whichever way its block went."""
    rows: list[tuple[int, list[str], str | None]] = []
    for block in CsvFile(path, COLUMNS).blocks():
        if block.records is None:
            texts = block.data.decode().removesuffix("\n").split("\n")
            rows += [(block.first_line + number, text.split(","), None) for number, text in enumerate(texts)]
        else:
            rows += [(record.line, record.fields, record.reason) for record in block.records]
    return rows


NO_FILES = {
    b"": "has no header line; its first line must name the columns",
    b"\nA,C1,2026-10-05,1\n": "has no header line; its first line must name the columns",
    b"transaction_id,amount\nA,1\n": "lacks the columns customer_id, occurred_at",
    b"transaction_id,customer_id,amount\n": "lacks the column occurred_at",
    b"transaction_id;customer_id;occurred_at;amount\n": (
        "lacks the columns transaction_id, customer_id, occurred_at, amount; its columns must be separated by commas"
    ),
    HEADER.encode() + b",amount,Note,note\n": "has more than one column amount, note",
    HEADER.encode("utf-16"): "is not UTF-8 (UTF-16, it seems): save it as UTF-8",
    HEADER.encode() + b",caf\xe9\n": "its header is not UTF-8: save it as UTF-8",
    b'"' + b"x" * 200_000: "its header can't be read as CSV: field larger than field limit (131072)",
}


@pytest.mark.parametrize("content", NO_FILES, ids=range(len(NO_FILES)))
def test_a_file_that_is_none_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    """Law: a header that can't do is one line, before the database is so much as asked."""
    path = tmp_path / "F.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput) as told:
        import_transactions(path)
    assert str(told.value) == f"{path}: {NO_FILES[content]}"
    assert list(tmp_path.iterdir()) == [path]


def test_other_kinds_say_what_they_lack(tmp_path: Path) -> None:
    """Law: each kind of file names its own missing columns."""
    path = tmp_path / "F.csv"
    path.write_text("email\n")
    with pytest.raises(BadInput, match=r"lacks the column customer_id$"):
        import_members(path)
    with pytest.raises(BadInput, match=r"lacks the columns date, currency, rate$"):
        import_rates(path)


def test_what_is_no_file_is_told(shop: Any) -> None:
    """Law: no file, a folder, a file that isn't packed as its name says, and one cut short are one clear line each."""
    told = []
    whole = shop.write(f"{HEADER}\n" + "".join(f"T{n},C1,2026-10-05,{n}\n" for n in range(9999)), "G.csv.gz")
    shop.write(whole.read_bytes()[:-1000], "H.csv")
    (shop.folder / "I.csv.gz").write_bytes(HEADER.encode())
    for name in ("none.csv", ".", "H.csv", "I.csv.gz"):
        with pytest.raises(BadInput) as error:
            import_transactions(shop.folder / name)
        told.append(str(error.value).removeprefix(f"{shop.folder}").removeprefix("/"))
    assert told == [
        "none.csv: there is no such file",
        ": is not a file",
        "H.csv: can't be read: is damaged or cut short",
        "I.csv.gz: is not packed by gzip, as its name says",
    ]


def test_a_rejected_file_that_cannot_be_written_is_told(shop: Any) -> None:
    """Law: when bad rows can't be told, that is an error; the good ones are loaded."""
    (shop.folder / "F.rejected.csv").mkdir()
    with pytest.raises(BadInput, match=r"F\.rejected\.csv: can't be written \(.+\); the good rows are loaded$"):
        shop.transactions(f"{HEADER}\nA,C1,2026-10-05,1\nB,C1,never,1\n")
    assert shop.ids() == ["A"]
    assert sorted(path.name for path in shop.folder.iterdir()) == ["F.csv", "F.rejected.csv"]


def test_a_file_that_changes_while_it_is_imported_is_told(shop: Any) -> None:
    """Law: bad rows are told as they stood; when the file no longer has them, that is an error, never a guess."""
    path = shop.write(f"{HEADER}\nA,C1,2026-10-05,1\nB,C1,never,1\n")
    with pytest.raises(BadInput, match=r"F\.csv: changed while it was imported; the good rows of before are loaded$"):
        import_transactions(path, progress=lambda _done, _whole: shop.write(f"{HEADER}\n"))
    assert shop.ids() == ["A"]
    assert [found.name for found in shop.folder.iterdir()] == ["F.csv"]


def test_rejected_rows_stand_beside_the_file() -> None:
    """Law: F.rejected.csv, whether F is packed or not and however its ending is written."""
    told = [rejected_path(Path("/x") / name).name for name in ("F.csv", "F.csv.gz", "F.CSV", "F.gz", "F", "F.x.txt")]
    assert told == [*["F.rejected.csv"] * 5, "F.x.txt.rejected.csv"]


def test_every_form_of_a_file_is_read_alike(shop: Any) -> None:
    """Law: gzip, BOM, CRLF and a missing last line end change nothing, nor do case and spaces in the header."""
    rows = [
        " Transaction_ID ,customer_id,OCCURRED_AT,amount",
        "A,C1,2026-10-05,1",
        "",
        '"B", C1 ,2026-10-05,1',
        "C,C1,x,1",
    ]
    results = []
    for name, bom, end, last in itertools.product(
        ("F.csv", "F.csv.gz"), (b"", b"\xef\xbb\xbf"), ("\n", "\r\n"), ("", "\n")
    ):
        result = shop.transactions(bom + (end.join(rows) + last).encode(), name)
        results.append((result.read, result.loaded, result.unchanged, result.rejected, shop.rejected(), shop.ids()))
        (shop.folder / "F.rejected.csv").unlink()

    told = ["line,reason,Transaction_ID,customer_id,OCCURRED_AT,amount", "5,wrong date,C,C1,x,1"]
    assert results == [(3, 2, 0, 1, told, ["A", "B"])] + [(3, 0, 2, 1, told, ["A", "B"])] * 15


def test_a_header_alone_is_no_failure(shop: Any) -> None:
    """Law: a file without rows loads nothing and is fine."""
    result = shop.transactions(HEADER)
    assert (result.read, result.nothing_loaded) == (0, False)


def test_broken_utf8_in_the_middle_of_a_big_file_costs_one_row(shop: Any) -> None:
    """Law: one row of bytes that are no UTF-8 is rejected with its line; all others load."""
    rows = [f"T{n:05},Zoë {n},2026-10-05,1".encode() for n in range(30_000)]
    rows[17_000] = b"T17000,Zo\xeb,2026-10-05,1"
    rows[29_999] = b"T29999,Zo\xc3,2026-10-05,1"
    result = shop.transactions(b"\n".join([HEADER.encode(), *rows]))
    assert (result.loaded, result.rejected) == (29_998, 2)
    assert shop.rejected()[1:] == [
        "17002,broken UTF-8,T17000,Zo\ufffd,2026-10-05,1",
        "30001,broken UTF-8,T29999,Zo\ufffd,2026-10-05,1",
    ]


def test_lines_are_right_after_quoted_line_breaks(shop: Any) -> None:
    """Law: a row's line is the one it begins on, counting every line of the file, the header's own included."""
    result = shop.transactions(
        f'{HEADER},"a\nnote",location\nA,C1,2026-10-05,1,"x\ny\n\nz",\nB,C1,x,1,,\n\nC,C1,2026-10-05,1,,"p\r\nq"\nD,C1,x,1,"\n",\n'
    )
    assert (result.read, result.loaded, result.rejected) == (4, 2, 2)
    assert shop.reasons() == [(7, "wrong date"), (11, "wrong date")]


def test_progress_ends_with_the_whole_file(shop: Any) -> None:
    """Law: progress goes up in bytes of the file, and ends with all of it."""
    path = shop.write(f"{HEADER}\n" + "".join(f"T{n},C1,2026-10-05,{n}\n" for n in range(60_000)))
    seen: list[tuple[int, int]] = []
    import_transactions(path, progress=lambda done, whole: seen.append((done, whole)))
    size = path.stat().st_size
    assert {whole for _, whole in seen} == {size}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (size, size)
    assert len(seen) > 2


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1 << 19])
def test_blocks_of_any_size_hold_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """Law: where a file is cut into blocks changes no row, no line and no reason."""
    pieces = ["x,y,z", ' p , q ,"r"', '"a,b","c ""d""",e', '1,2,"two\nlines"', "", "too,few", '"open,1,2', "é,ü,\u200b"]
    pieces += ["b,\\.,c", "x,\x01,y", '3,4,"\nfive\n"', ",,", "m,n,o"]
    choice = random.Random(5)
    content = "a,b,c\n" + "\n".join(choice.choice(pieces) for _ in range(300)) + "\n"
    path = tmp_path / "F.csv"
    path.write_bytes(content.encode())
    monkeypatch.setattr("loyalty.db.imports.csv_file.BLOCK_BYTES", block_bytes)
    once = records(path)
    monkeypatch.undo()
    assert once == records(path)
    assert {reason for _, _, reason in once} == {None, "wrong quoting", "wrong number of columns", "control character"}
