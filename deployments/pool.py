"""The work pool and its queues by urgency: whose run starts first when a worker has no room for all."""

from typing import Any

from flows.prefect_api import ask
from loyalty.errors import Refused

POOL = "loyalty"
TYPE = "process"
QUEUES = {
    "now": "What somebody waits for: approvals, rules, reports made again.",
    "daily": "What the day brings: expiry, messages, the audit.",
    "month": "Long work: closes and backfills.",
    "default": "What names no queue.",
}
"""The queues, the most urgent first."""


def make(address: str, kind: str = TYPE, template: dict[str, Any] | None = None) -> None:
    """Make sure of the pool and its queues; again it only puts their order right.

    `template` is the base job template of the kinds that need one. Raises Refused for a pool that is of another kind.
    """
    found = next((pool for pool in ask(address, "work_pools/filter") if pool["name"] == POOL), None)
    more: dict[str, Any] = {"base_job_template": template} if template else {}
    if found is None:
        ask(address, "work_pools/", name=POOL, type=kind, description="The flows of the loyalty programme.", **more)
    elif found["type"] != kind:
        raise Refused(f"the work pool {POOL} is of kind {found['type']}, not {kind}: delete it in the UI, then again")
    elif more:
        ask(address, f"work_pools/{POOL}", "PATCH", **more)
    queues = f"work_pools/{POOL}/queues"
    there = {queue["name"]: queue for queue in ask(address, f"{queues}/filter")}
    for priority, (name, about) in enumerate(QUEUES.items(), start=1):
        if name not in there:
            ask(address, queues, name=name, description=about, priority=priority)
        elif (there[name]["priority"], there[name]["description"]) != (priority, about):
            ask(address, f"{queues}/{name}", "PATCH", description=about, priority=priority)


def workers_online(address: str) -> int:
    """How many workers of the pool answered lately."""
    found = ask(address, f"work_pools/{POOL}/workers/filter")
    return sum(worker["status"] == "ONLINE" for worker in found)
