"""Money: ISO 4217 currencies, and the step between major units (people) and minor units (the database)."""

from decimal import Decimal

from loyalty.errors import BadInput

_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
        CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ
        GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL
        MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
        PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
        TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
}

MINOR_DIGITS = {code: digits for digits, codes in _CODES.items() for code in codes.split()}
"""Decimals of each currency's minor unit: 2 for USD, 0 for JPY, 3 for KWD."""


def decimals(number: Decimal) -> int:
    """Count the decimals that a finite number needs; zeros at its end are none: 1 for 0.10."""
    _, digits, exponent = number.as_tuple()
    if not any(digits) or not isinstance(exponent, int):
        return 0
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -exponent - zeros)


def to_minor(amount: Decimal, currency: str) -> int:
    """Turn major units into whole minor units, exactly; BadInput if the amount is finer than the currency."""
    digits = MINOR_DIGITS[currency]
    if decimals(amount) > digits:
        raise BadInput(f"{amount} has more decimals than {currency}, which has {digits}")
    return int(amount.scaleb(digits))


def to_major(minor: int, currency: str) -> Decimal:
    """Turn whole minor units into major units with the currency's own decimals: 500 is 5.00 USD."""
    return Decimal(minor).scaleb(-MINOR_DIGITS[currency])
