"""How far a difference of means can be trusted: Welch's interval, for arms of any size and spread."""

import math
from dataclasses import dataclass
from fractions import Fraction

from loyalty.db.campaigns import Arm

LEAST_MEMBERS = 30  # in each arm: with fewer, spend is too uneven for the interval to mean what it says
_Z = 1.959963984540054  # of 95 %, two-sided


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference of means, with the bounds of its 95 % interval, in minor units."""

    difference: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether zero lies outside: the difference is more than chance would make of nothing, 19 times of 20."""
        return self.low > 0 or self.high < 0


def mean(arm: Arm) -> float:
    """The mean spend of an arm's members, those who bought nothing too; nothing of nobody."""
    return arm.spend / arm.members if arm.members else 0.0


def difference(treated: Arm, held_out: Arm) -> Interval | None:
    """How much more the treated spent on average; None where an arm is too small to tell."""
    if min(treated.members, held_out.members) < LEAST_MEMBERS:
        return None
    error = spread(treated, held_out)
    found = mean(treated) - mean(held_out)
    reach = quantile(_degrees(treated, held_out)) * error if error else 0.0
    return Interval(found, found - reach, found + reach)


def spread(treated: Arm, held_out: Arm) -> float:
    """The standard error of the difference of the means. Each arm has two members at least."""
    return math.sqrt(_share(treated) + _share(held_out))


def smallest_effect(treated: Arm, held_out: Arm) -> float | None:
    """The difference of means that is found in 4 of 5 such campaigns, by its 95 % interval; None as `difference`."""
    if min(treated.members, held_out.members) < LEAST_MEMBERS:
        return None
    return (_Z + 0.8416212335729143) * spread(treated, held_out)


def _share(arm: Arm) -> float:
    """The variance of an arm's mean, from exact sums."""
    variance = (arm.squares - Fraction(arm.spend) ** 2 / arm.members) / (arm.members - 1)
    return float(variance / arm.members)


def _degrees(treated: Arm, held_out: Arm) -> float:
    """Welch and Satterthwaite's degrees of freedom."""
    one, other = _share(treated), _share(held_out)
    return (one + other) ** 2 / (one**2 / (treated.members - 1) + other**2 / (held_out.members - 1))


def quantile(degrees: float) -> float:
    """Student's t of 97.5 %, by the expansion around the normal one (Abramowitz and Stegun, 26.7.5)."""
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, start=1))
