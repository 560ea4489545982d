"""CSV into the database: members, transactions and exchange rates.

    csv_file.py      the file: its header, then blocks of whole rows
    records.py       the rows of a block that COPY can't simply take
    session.py       a connection with the import's own temporary tables, and COPY into them
    parts.py         the run of an import: part by part, each in a transaction of its own, good rows in, bad rows told
    transactions.py  what a part of transactions does, and likewise members.py and rates.py
    corrections.py   what a file of corrections does more
    rejected.py      FILE.rejected.csv

Bad rows never stop good ones, and importing again changes nothing: an import that was killed is simply started again.
"""

from loyalty.db.imports.members import import_members
from loyalty.db.imports.parts import ImportResult, Progress
from loyalty.db.imports.rates import import_rates
from loyalty.db.imports.transactions import import_transactions

__all__ = ["ImportResult", "Progress", "import_members", "import_rates", "import_transactions"]
