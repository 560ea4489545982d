"""What the daily run gives, against the plain reading of tests/triggers_model.py."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty.db import rules_versions
from loyalty.db.engine import transaction
from tests.laws.product import rules_of
from tests.model import Transaction
from tests.till.test_at_once import at_once
from tests.triggers.conftest import Desk, Open
from tests.triggers_model import Milestones, Person

ZONES = ("UTC", "America/New_York", "Asia/Beirut", "Pacific/Apia")  # Beirut's clocks jump at midnight
KEYS = {"registration_points": 5, "birthday_points": 10, "anniversary_points": 20}

FEW = settings(max_examples=4, phases=(Phase.explicit, Phase.generate))  # each takes a database of its own
edges = st.sampled_from([date(2000, 2, 29), date(1999, 12, 31), date(2001, 1, 1), date(1990, 2, 28), date(1990, 3, 1)])
days = edges | st.dates(date(1950, 1, 1), date(2005, 12, 31))
starts = st.sampled_from(
    [datetime(2027, 12, 28, tzinfo=UTC), datetime(2028, 2, 26, tzinfo=UTC), datetime(2026, 2, 25, 3, tzinfo=UTC)]
)


@st.composite
def people(draw: st.DrawFn, start: datetime) -> list[Person]:
    """Members enrolled around a start; days near it are likely."""
    near = st.integers(-3, 9).map(lambda day: (start + timedelta(days=day)).date().replace(year=2000))
    made = []
    for number in range(draw(st.integers(8, 20))):
        enrolled = start + timedelta(hours=draw(st.integers(-60, 200)))
        joined = draw(st.none() | days | near)
        made.append(Person(f"C{number}", enrolled, draw(st.none() | days | near), joined))
    return made


def enrol(shop: Desk, members: Iterable[Person], *, until: datetime, since: datetime | None = None) -> None:
    """Enrol those who come in a stretch of time, as an import does: without any bonus at once."""
    for one in members:
        if one.enrolled_at <= until and (since is None or one.enrolled_at > since):
            with transaction() as connection:
                connection.execute(
                    text(
                        "with m as (insert into loyalty.members (customer_id, birthday, joined_on, enrolled_at)"
                        " values (:c, :b, :j, :e) returning member_no)"
                        " insert into loyalty.accounts (member_no, tier_no) select member_no, 1 from m"
                    ),
                    {"c": one.customer_id, "b": one.birthday, "j": one.joined_on, "e": one.enrolled_at},
                )


def run_all(shop: Desk, members: list[Person], runs: Iterable[datetime]) -> None:
    """The days run as given; whoever has enrolled by then is known."""
    known: datetime | None = None
    for now in runs:
        if known is None or now > known:
            enrol(shop, members, until=now, since=known)
            known = now
        shop.day(now)


@FEW
@given(data=st.data(), zone=st.sampled_from(ZONES), start=starts)
def test_any_runs_give_what_the_model_gives(desk: Open, data: st.DataObject, zone: str, start: datetime) -> None:
    """Law (13): late, twice, out of order, over year ends and 29 February, a run gives what the plain reading does."""
    members = data.draw(people(start))
    runs = [start + timedelta(hours=hour) for hour in data.draw(st.lists(st.integers(0, 300), min_size=1, max_size=6))]
    back = data.draw(st.integers(0, 9))
    model = Milestones(ZoneInfo(zone), registration=5, birthday=10, anniversary=20, back=back)
    shop = desk(zone=zone, milestone_days=back, **KEYS)

    known: list[Person] = []
    for now in runs:
        known = [one for one in members if one in known or one.enrolled_at <= now]
        model.run(known, now)
    run_all(shop, members, runs)

    assert shop.grants() == sorted(model.given)
    assert len(shop.messages()) == len(model.given)
    assert shop.till.wrong() == {}


@FEW
@given(data=st.data(), zone=st.sampled_from(ZONES), start=starts)
def test_a_late_run_gives_what_daily_ones_would(desk: Open, data: st.DataObject, zone: str, start: datetime) -> None:
    """Law: runs that are late, but not beyond the days of the rules, end where one run each day ends."""
    members = [one for one in data.draw(people(start)) if one.enrolled_at <= start + timedelta(days=8)]
    model = Milestones(ZoneInfo(zone), registration=5, birthday=10, anniversary=20)
    shop = desk(zone=zone, **KEYS)
    for day in range(10):
        now = start + timedelta(days=day)
        model.run([one for one in members if one.enrolled_at <= now], now)
    late = sorted({0, 9, *data.draw(st.lists(st.integers(1, 8), max_size=2))})
    late = sorted({*late, 4} if 9 - late[-2] > 7 else late)

    run_all(shop, members, [start + timedelta(days=day) for day in late])

    assert shop.grants() == sorted(model.given)


def test_who_is_born_on_29_february_is_given_one_birthday_each_year(desk: Open) -> None:
    """Law: on the 28th in a common year, on the 29th in a leap year, once."""
    shop = desk(birthday_points=10)
    shop.put("C1", datetime(2026, 1, 1, tzinfo=UTC), birthday=date(2000, 2, 29))
    given_on = {}
    for day in (datetime(2027, 2, 26, 12, tzinfo=UTC), datetime(2028, 2, 27, 12, tzinfo=UTC)):
        for later in range(4):
            now = day + timedelta(days=later)
            if shop.day(now).granted["birthday"]:
                given_on[now.date()] = shop.grants()[-1]

    assert given_on == {
        date(2027, 2, 28): ("C1", "birthday", "2027", 10),
        date(2028, 2, 29): ("C1", "birthday", "2028", 10),
    }
    assert shop.messages()[-1] == ("C1", "birthday", "2028", {"points": 10})


def test_runs_at_once_give_once(desk: Open) -> None:
    """Law (13): of runs at once each grant is given by one."""
    shop = desk(birthday_points=10, anniversary_points=5, profile_points=1)
    now = datetime(2026, 3, 5, 12, tzinfo=UTC)
    members = [Person(f"C{n}", now - timedelta(days=400), date(1990, 3, 5), date(2020, 3, 4)) for n in range(20)]
    enrol(shop, members, until=now)
    shop.till.tell_time(now)

    done = at_once(lambda _: shop.day(now).granted, 8)

    assert sum(one["birthday"] for one in done) == sum(one["anniversary"] for one in done) == 20
    assert len(shop.grants()) == 40
    assert shop.till.wrong() == {}


def test_a_day_counts_by_its_own_rules(desk: Open) -> None:
    """Law: a run in March that makes up for February gives what the rules of February said."""
    shop = desk(birthday_points=10)
    with transaction() as connection:
        rules_versions.install(
            connection,
            rules_of(shop.till.rules).model_copy(update={"birthday_points": 30}),  # type: ignore[arg-type]
            from_period=date(2026, 3, 1),
            by="ann",
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    enrolled = datetime(2026, 1, 1, tzinfo=UTC)
    enrol(
        shop,
        [Person("C1", enrolled, date(1990, 2, 27)), Person("C2", enrolled, date(1990, 3, 1))],
        until=enrolled,
    )

    shop.day(datetime(2026, 3, 2, 1, tzinfo=UTC))

    assert shop.grants() == [("C1", "birthday", "2026", 10), ("C2", "birthday", "2026", 30)]


@FEW
@given(data=st.data())
def test_visits_bring_points_each_so_many_days(desk: Open, data: st.DataObject) -> None:
    """Law: each third day of buying brings points once, whenever files come, months close and runs happen."""
    shop = desk(earning="monthly", visit_points=7, visits_each=3)
    began = datetime(2026, 1, 1, 12, tzinfo=UTC)
    hours = st.lists(st.integers(0, 24 * 60), max_size=8, unique=True)
    sales = {f"C{n}": [began + timedelta(hours=hour) for hour in data.draw(hours)] for n in range(3)}
    rows = [
        Transaction(f"T{n}-{at:%j%H}", customer, at, 500)
        for n, (customer, all_of_them) in enumerate(sales.items())
        for at in all_of_them
    ]
    model = Milestones(ZoneInfo("UTC"), visit=7, visits_each=3)
    closes = data.draw(st.sampled_from([(), ("2026-01",), ("2026-01", "2026-02")]))
    for now, period in (
        (datetime(2026, 2, 1, 1, tzinfo=UTC), "2026-01"),
        (datetime(2026, 3, 3, tzinfo=UTC), "2026-02"),
    ):
        shop.till.record([row for row in rows if row.occurred_at <= now], now)
        shop.day(now)
        if period in closes and rows:
            shop.till.close(period, now=now)
            shop.day(now + timedelta(minutes=1))
    last = datetime(2026, 3, 4, tzinfo=UTC)
    shop.till.record(rows, last)
    shop.day(last)
    shop.day(last)
    model.run([Person(c, began, sales=tuple(at)) for c, at in sales.items()], last)

    assert shop.grants() == sorted(model.given)
    assert shop.till.wrong() == {}
