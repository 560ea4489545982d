"""`python -m deployments.register`: everything a Prefect server needs of us.

The work pool with its queues, the deployments of prefect.yaml, the kinds of blocks (so that the UI has their forms)
and the automations. Again it only brings all that up to date. The server is the one that PREFECT_API_URL names.
LOYALTY_WORK_POOL=kubernetes makes a pool of that kind by deployments/kubernetes/job-template.json.
"""

import json
import os
import subprocess
import sys
from typing import Any

from deployments import pool
from deployments.programme import ROOT, languages
from flows import prefect_api
from loyalty.commands.failures import guarded
from loyalty.errors import LoyaltyError, Unavailable
from loyalty.settings import settings

TEMPLATES = {"process": None, "kubernetes": ROOT / "deployments" / "kubernetes" / "job-template.json"}


def main() -> int:
    """Do it all; the exit code."""
    address = prefect_api.found()
    if address is None:
        raise Unavailable(f"no Prefect server answers: name one by {prefect_api.VARIABLE}, or `make up`")
    os.environ[prefect_api.VARIABLE] = address
    from blocks.registry import BLOCKS  # noqa: PLC0415 - Prefect reads that variable as it is loaded
    from deployments import automations  # noqa: PLC0415

    kind = settings().work_pool
    pool.make(address, kind, _template(kind))
    deploying = subprocess.Popen([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=ROOT)
    for block in BLOCKS:
        block.register_type_and_schema()
        print(f"registered {block.get_block_type_slug()}")
    if deploying.wait() != 0:
        raise LoyaltyError("the deployments of prefect.yaml can't be made: the lines above say why")
    automations.register(print, languages())
    return 0


def _template(kind: str) -> dict[str, Any] | None:
    file = TEMPLATES[kind]
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file else None
    return found


if __name__ == "__main__":
    sys.exit(guarded(main))
