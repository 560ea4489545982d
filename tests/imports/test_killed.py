"""An import that is killed: started again, it loses nothing and doubles nothing."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

HEADER = "transaction_id,customer_id,occurred_at,amount,kind,original_transaction_id"
# parts of 2,000 rows, so that there is much to be killed between; the file is whole when the process begins
IMPORT = """
import sys
from loyalty.db.imports import csv_file, import_transactions, parts, transactions
parts.PART_ROWS = transactions.PART_ROWS = 2_000
csv_file.BLOCK_BYTES = 1 << 14
import_transactions(sys.argv[1])
"""


@pytest.mark.parametrize("killed_at", [1, 20_000, 30_001])
def test_a_killed_import_is_simply_started_again(shop: Any, killed_at: int) -> None:
    """Law: killed by SIGKILL before, between or in its parts and begun again, an import records each row once."""
    sales = [f"T{n},C{n % 5000},2026-10-{1 + n % 28:02},{n % 900}.00,," for n in range(30_000)]
    refunds = [f"R{n},C{n % 5000},2026-11-05,{n % 900}.00,refund,T{n}" for n in range(0, 30_000, 5)]
    path = shop.write("\n".join([HEADER, *refunds, *sales]))
    process = subprocess.Popen([sys.executable, "-c", IMPORT, path], env=os.environ)
    try:
        while shop.rows("select count(*) from transaction_keys")[0][0] < killed_at:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    result = shop.transactions(path.read_bytes())

    assert (result.read, result.rejected) == (36_000, 0)
    assert result.loaded + result.unchanged == 36_000
    assert len(set(shop.ids())) == 36_000
    assert shop.rows("select (select count(*) from members), (select count(*) from accounts)") == [(5000, 5000)]
    assert shop.rows("select relname from pg_class where relpersistence = 't' and relname like 'import%'") == []
