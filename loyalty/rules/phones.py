"""Telephone numbers in the one way of writing them that is the same everywhere: E.164."""

import phonenumbers


def e164(phone: str | None, region: str | None) -> str | None:
    """Write a telephone number as E.164, such as +442079460000; None for what can't be one.

    `region` (ISO 3166, such as GB) is the country of numbers that name none; without it these can't be written so.
    """
    if phone is None:
        return None
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
