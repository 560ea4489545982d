"""Prefect's side of `loyalty doctor`: server, work pool, worker, deployments, blocks, automations, approvals; the API.

Asks over HTTP and loads no Prefect. Changes nothing.
"""

import re
from collections.abc import Callable, Iterator
from importlib.metadata import version as installed
from typing import Any

import httpx

from deployments import pool, record
from deployments.programme import ROOT, version, wanted
from flows import approval_runs, prefect_api
from loyalty.commands.doctor import Finding
from loyalty.db import embedded
from loyalty.db.approval_runs import waiting
from loyalty.errors import ConfigurationError, LoyaltyError, NotMigrated
from loyalty.settings import settings

AUTOMATIONS = "Loyalty: "  # how the names of ours begin
_UP = "`make up`"
_REGISTER = "`make up`, or `python -m deployments.register` for a server elsewhere"
_SLUG = re.compile(r"""_block_type_slug\s*=\s*["']([a-z0-9-]+)["']""")
_ANSWER_SECONDS = 5


def stack() -> Iterator[Finding]:
    """The processes that `make up` started, and the HTTP API among them."""
    kept = record.read()
    for name, part in kept.parts().items():
        if part.lives and part is kept.service:
            yield _api(kept.http)
        elif part.lives:
            yield Finding(name, "ok", f"process {part.process.pid}{f', port {part.port}' if part.port else ''}")
        else:
            log = record.log("api" if name == "API" else name.lower().replace(" ", "-"))
            yield Finding(name, "problem", f"process {part.process.pid} is gone", f"{_UP}; its log: {log}")


def _api(address: str) -> Finding:
    try:
        answer = httpx.get(f"{address}/healthz", timeout=_ANSWER_SECONDS)
    except httpx.HTTPError as error:
        told = f"{address} does not answer ({type(error).__name__})"
        return Finding("API", "problem", told, f"{_UP}; its log: {record.log('api')}")
    if answer.is_success:
        return Finding("API", "ok", f"{address} answers")
    return Finding("API", "problem", f"{address}/healthz says {answer.text.strip()[:200]}", "mend what it names")


def prefect() -> Iterator[Finding]:
    """What the Prefect server that runs are told to knows of us."""
    address = prefect_api.named()
    if address is None:
        yield Finding("Prefect", "problem", "no server is known", f"{_UP}, or name one by {prefect_api.VARIABLE}")
        return
    if not prefect_api.answers(address):
        yield Finding("Prefect", "problem", f"no server answers at {address}", _UP)
        return
    for examine in (_server, _pool, _deployments, _schedules, _blocks, _automations, _late, _approvals):
        try:
            yield examine(address)
        except NotMigrated as error:  # it is told where the database is looked at
            yield Finding(examine.__name__.strip("_"), "note", f"not looked at: {error}")
        except (LoyaltyError, ConfigurationError) as error:
            mend = f"its log may say why: {record.log('prefect-server')}"
            yield Finding(examine.__name__.strip("_"), "problem", str(error), mend)


def _server(address: str) -> Finding:
    there, here = prefect_api.ask(address, "admin/version", "GET"), installed("prefect")
    told = f"{address.removesuffix('/api')} answers, version {there}"
    if there == here:
        return Finding("Prefect", "ok", told)
    return Finding("Prefect", "problem", f"{told}, but {here} is installed here", f"{_UP} starts it anew")


def _pool(address: str) -> Finding:
    found = {each["name"]: each for each in prefect_api.ask(address, "work_pools/filter")}.get(pool.POOL)
    if found is None:
        return Finding("work pool", "problem", f"there is no work pool {pool.POOL}", _REGISTER)
    if found["is_paused"]:
        return Finding("work pool", "problem", f"{pool.POOL} is paused", "resume it in the UI, under Work Pools")
    online = pool.workers_online(address)
    told = f"{pool.POOL}, of kind {found['type']}, {online} worker{'s' * (online != 1)} online"
    if not online:
        return Finding("work pool", "problem", told, f"{_UP}, or `prefect worker start --pool {pool.POOL}`")
    return Finding("work pool", "ok", told)


def _deployments(address: str) -> Finding:
    there = {each["name"]: each["version"] for each in _deployed(address)}
    names = [each["name"] for each in wanted()]
    missing, old = [], []
    for name in names:
        if name not in there:
            missing.append(name)
        elif there[name] != version():
            old.append(name)
    if missing:
        return Finding("deployments", "problem", f"missing: {', '.join(missing)}", _REGISTER)
    if old:
        told = f"{len(old)} of {len(names)} made from other code than {version()}"
        return Finding("deployments", "problem", told, _REGISTER)
    return Finding("deployments", "ok", f"all {len(names)}, version {version()}")


def _schedules(address: str) -> Finding:
    active = [schedule["active"] for each in _deployed(address) for schedule in each["schedules"] if not each["paused"]]
    told = f"{sum(active)} of {len(active)} on"
    if all(active):
        return Finding("schedules", "ok", told)
    return Finding("schedules", "note", f"{told}: switch them on in the UI, or all by LOYALTY_SCHEDULES=on {_UP}")


def _blocks(address: str) -> Finding:
    files = (ROOT / "blocks").glob("[!_]*.py")
    slugs = {slug for path in files for slug in _SLUG.findall(path.read_text(encoding="utf-8"))}
    there = {each["slug"] for each in prefect_api.ask(address, "block_types/filter", limit=200)}
    missing = sorted(slugs - there)
    if missing:
        return Finding("blocks", "problem", f"not registered: {', '.join(missing)}", _REGISTER)
    return Finding("blocks", "ok", f"{len(slugs)} kinds registered")


def _automations(address: str) -> Finding:
    found = prefect_api.ask(address, "automations/filter", limit=200)
    ours = [each for each in found if each["name"].startswith(AUTOMATIONS)]
    if not ours:
        return Finding("automations", "problem", "none: nobody is told of a run that fails", _REGISTER)
    off = [each["name"].removeprefix(AUTOMATIONS) for each in ours if not each["enabled"]]
    if off:
        return Finding("automations", "note", f"switched off in the UI: {', '.join(off)}")
    return Finding("automations", "ok", f"{len(ours)} on")


def _late(address: str) -> Finding:
    wanted_runs = {"state": {"name": {"any_": ["Late"]}}, "tags": {"all_": ["loyalty"]}}
    late = len(prefect_api.ask(address, "flow_runs/filter", flow_runs=wanted_runs, limit=200))
    if late:
        return Finding("runs", "problem", f"{late} late: no worker takes them", f"look at the worker; {_UP}")
    return Finding("runs", "ok", "none is late")


def _approvals(address: str) -> Finding:
    """Whether managers are asked for what waits for them: each open approval has a run that is alive."""
    if settings().database_url is None and not embedded.status().running:
        return Finding("approvals", "note", "not looked at: the database is not running")
    open_ones = waiting()
    unasked = [
        str(each.approval_no)
        for each in open_ones
        if each.flow_run_id is None or not approval_runs.is_alive(address, each.flow_run_id)
    ]
    if unasked:
        told = f"open without a run that asks for it: {', '.join(unasked)}"
        return Finding("approvals", "problem", told, "run the deployment daily_expiry: it starts what is missing")
    return Finding("approvals", "ok", f"{len(open_ones)} open, each with its run" if open_ones else "none open")


def _deployed(address: str) -> list[dict[str, Any]]:
    """Our deployments on the server."""
    names = {each["name"] for each in wanted()}
    found = prefect_api.ask(address, "deployments/filter", limit=200)
    return [each for each in found if each["name"] in names]


EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (stack, prefect)
