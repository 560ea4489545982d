"""A campaign in Prefect: asked for by its form, decided, run, reported; and the same from the command line."""

import json
import uuid
from pathlib import Path

from sqlalchemy import URL

from tests.flows.conftest import PERSONAL, Command, Prefect

FORM = {
    "name": "april",
    "starts_on": "2026-04-01",
    "ends_on": "2026-04-30",
    "gives": "voucher",
    "voucher": "5.00",
    "budget": "100",
    "message": "Come back.",
}
FILE = "".join(f'{key} = "{value}"\n' for key, value in FORM.items() if key not in {"voucher", "budget"})


def test_a_campaign_is_asked_for_decided_and_reported(
    shop: URL, prefect_server: Prefect, directly: Command, run_flow: Command
) -> None:
    """Law: the form's run simulates and asks, the same again changes nothing, and each day's run shows the outcome.

    Nobody's data comes into Prefect.
    """
    asked, again, given = (uuid.uuid4().hex for _ in range(3))
    for note in (asked, again):
        done = run_flow("start_campaign", note, asked_by="ana", campaign=FORM)
        assert done.returncode == 0, done.stderr
    assert directly("approvals", "approve", "1", "--by", "ben").returncode == 0
    assert run_flow("run_campaigns", given).returncode == 0
    runs = [prefect_server.runs(note)[0] for note in (asked, again, given)]
    pages = [prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}}) for run in runs]

    assert [run["state"]["message"] for run in runs] == [
        "april waits for approval 1, asked by ana",
        "april waits for approval 1, asked by ana",
        "1 campaigns: 0 members drawn, 0 vouchers, 0 purchases with 0 points, 0 points taken back",
    ]
    assert [[page["key"] for page in found] for found in pages] == [
        ["campaign-april-simulated"],
        [],
        ["campaign-april"],
    ]
    assert [person for person in PERSONAL for found in pages for page in found if person in page["data"]] == []


def test_a_campaign_goes_from_file_to_report(directly: Command, tmp_path: Path) -> None:
    """Law: check, simulate, start, approve, stop and report each say in a line what they did, or what is wrong."""
    file, out = tmp_path / "april.toml", tmp_path / "april.html"
    file.write_text(FILE + "voucher = 5.00\nbudget = 100\n")

    def line(*typed: str) -> str:
        done = directly("campaigns", *typed)
        return (done.stdout if done.returncode == 0 else done.stderr).splitlines()[-1]

    assert line("check", str(file)) == f"{file}: the campaign is valid"
    assert line("simulate", str(file)).split()[:2] == ["Their", "worth"]
    assert line("report", "april") == "loyalty: there is no campaign april: see `loyalty campaigns list`"
    assert line("start", str(file), "--by", "ana") == "april waits for approval 1, asked by ana"
    assert line("report", "april") == "loyalty: the campaign april has not begun: it is waiting for a decision"
    assert directly("approvals", "approve", "1", "--by", "ben").stdout.startswith(
        "approval 1 approved: april runs, approved by ben: 4 members drawn, "
    )
    assert line("run").startswith("1 campaigns: 0 members drawn")
    assert line("report", "april", "--out", str(out)) == str(out)
    listed = json.loads(directly("campaigns", "list", "--json").stdout)
    assert [(each["name"], each["state"]) for each in listed] == [("april", "running")]
    assert line("stop", "april", "--by", "ana") == "april is stopped"
    assert line("stop", "april", "--by", "ana") == "april was over already: unchanged"
    assert "what the campaign brought can" in out.read_text()
