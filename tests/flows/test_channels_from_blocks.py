"""Blocks by which messages leave: what is saved in Prefect is what sends, and nobody reads its secrets."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from sqlalchemy import URL

from deployments import processes
from deployments.processes import Process
from loyalty.monthly import Terms, chosen_periods, close_month
from tests.flows.conftest import ROOT, Prefect, start
from tests.messages.mail_server import MailServer, serving
from tests.messages.provider_double import ACCOUNT, SENDER, SLACK_PATH, TOKEN, ProviderDouble

PASSWORD = "hidden-of-smtp"
SECRETS = (PASSWORD, TOKEN, SLACK_PATH)
# as somebody fills in the forms; the flow then runs in a process that knows of none of it
SAVED = """
import os, sys
from blocks.mail_server import MailServer
from blocks.slack_staff import SlackStaff
from blocks.twilio_sms import TwilioSms
port, url, account, number, token, path, password = sys.argv[1:]
MailServer(
    host="127.0.0.1", port=int(port), security="none", user="club", password=password, sender="club@shop.example"
).save("loyalty")
TwilioSms(account_sid=account, auth_token=token, sender=number, url=url).save("loyalty")
SlackStaff(webhook_url=url + path).save("loyalty")
"""
REGISTERED = "import sys; from deployments import automations; automations.register(print, tuple(sys.argv[1:]))"
FLOW = "from flows.daily_notifications import daily_notifications; daily_notifications()"


class Guarded(MailServer):
    """A mail server that takes no login, or the right one."""

    logins = False

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """What becomes of a login."""
        right = self.logins and (data.login, data.password) == (b"club", PASSWORD.encode())
        return AuthResult(success=right, handled=False)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """A Prefect server of these tests' own, since every flow on it goes by these blocks."""
    home = tmp_path_factory.mktemp("prefect")
    server = start(home)
    try:
        yield Prefect(server["api"], home)
    finally:
        processes.stop(Process(server["pid"], server["born"]))


@pytest.fixture
def talkative(own_server: Prefect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prefect:
    """The same, for processes that know it and log all they can."""
    monkeypatch.setenv("PREFECT_API_URL", own_server.api)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name in ("LEVEL", "ROOT_LEVEL"):
        monkeypatch.setenv(f"PREFECT_LOGGING_{name}", "DEBUG")
    monkeypatch.setenv("PREFECT_LOGGING_EXTRA_LOGGERS", "loyalty,httpx,httpcore,twilio,urllib3")
    return own_server


def test_messages_leave_by_the_blocks(shop: URL, talkative: Prefect) -> None:
    """Law: e-mail, SMS and word to staff go by the blocks that are saved, whose secrets are in no log, state, artifact.

    Neither where a provider refuses them: the run fails by the setting's name, and the next one sends what waited.
    """
    [january] = chosen_periods("2026-01", "2026-01")
    assert close_month(january, Terms()) == "closed"
    provider, mail = ProviderDouble(), Guarded()
    with serving(mail, auth_require_tls=False, authenticator=mail.login) as port:
        said = [_python(SAVED, str(port), provider.url, ACCOUNT, SENDER, TOKEN, SLACK_PATH, PASSWORD)]
        said.append(_python(FLOW, fails=True))
        refused = list(mail.accepted)
        mail.logins = True
        said.append(_python(FLOW))
    provider.stop()

    assert (refused, provider.violations) == ([], [])
    assert [to for _, [to], _ in mail.accepted] == ["ben.nevis@example.com"]
    assert sorted((each.provider, each.to) for each in provider.accepted) == [
        ("slack", ""), ("twilio", "+15555550101"), ("twilio", "+15555550102"),
    ]  # fmt: skip
    assert list(Path(os.environ["LOYALTY_HOME"]).glob("outbox/*/*")) == []
    runs = talkative.filtered("flow_runs", sort="START_TIME_ASC")
    assert [(run["name"].partition(" ")[0], run["state"]["name"]) for run in runs] == [
        ("notifications", "Failed"), ("notifications", "Completed"),
    ]  # fmt: skip
    assert runs[0]["state"]["message"] == "LOYALTY_SMTP_PASSWORD is refused by the server: 535"
    assert talkative.filtered("logs") != []
    assert [secret for secret in SECRETS if any(secret in each for each in said)] == []
    assert _files_with_secrets(talkative.home) == _files_with_secrets(Path(os.environ["LOYALTY_HOME"])) == []


@pytest.mark.parametrize(("language", "failed"), [("es", "ha fallado"), ("ar", "فشل التشغيل")])
def test_word_of_runs_is_in_the_language_registered(talkative: Prefect, language: str, failed: str) -> None:
    """Law: registering brings the automations and the block that tells to the programme's first language."""
    _python(REGISTERED, language, "en")
    telling = talkative.filtered("automations", limit=200)
    subjects = {each["name"]: each["actions"][0].get("subject", "") for each in telling}
    [block] = talkative.filtered("block_documents", block_types={"slug": {"any_": ["loyalty-staff-messages"]}})

    assert failed in subjects["Loyalty: staff are told of a run that failed"]
    assert block["data"] == {"programme": "Loyalty", "language": language}


def _python(code: str, *arguments: str, fails: bool = False) -> str:
    """Run it in a process of its own; what it said."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) is fails, done.stderr
    return done.stdout + done.stderr


def _files_with_secrets(folder: Path) -> list[tuple[str, str]]:
    """Where a secret stands in the clear, be it in the database with states, logs and artifacts, or in a log."""
    files = [(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    return [(str(path), secret) for path, content in files for secret in SECRETS if secret.encode() in content]
