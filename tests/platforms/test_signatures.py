"""What proves that a platform sent a request: its own signatures, and nothing else."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from loyalty.errors import ConfigurationError, Unverified
from loyalty.platforms import sendgrid, twilio
from loyalty.platforms.base import Request
from loyalty.settings import Settings

TOKEN = "0123456789abcdef0123456789abcdef"
STATUS = {
    "AccountSid": "AC0123456789abcdef0123456789abcdef",
    "MessageSid": "SMfedcba9876543210fedcba9876543210",
    "SmsSid": "SMfedcba9876543210fedcba9876543210",
    "SmsStatus": "undelivered",
    "MessageStatus": "undelivered",
    "To": "+14155552671",
    "From": "+15005550006",
    "ApiVersion": "2010-04-01",
    "ErrorCode": "30003",
}
TARGET = "/hooks/twilio/status?delivery=dlv_01J8"
SHA1, SHA256_ = "3XTrNgT7P9wX9JhduDXOMDAVoWg=", "+A5FoOJWrp2vglPpQfQLvh84QYBd44JtLrwk+gVOJyI="
SHARED = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
PUBLIC = "https://loyalty.example.com"


def of_twilio(**changed: Any) -> Settings:
    """Settings with Twilio's secrets."""
    return Settings(public_url=PUBLIC, twilio_auth_token=TOKEN, twilio_shared_key=TOKEN).model_copy(update=changed)


def called(
    params: Mapping[str, str] | list[tuple[str, str]], signature: str | None, target: str = TARGET, **headers: str
) -> Request:
    """A form that was posted, as the service sees it behind a proxy."""
    signed = {} if signature is None else {"x-twilio-signature": signature}
    return Request({**signed, **headers}, target, urlencode(params).encode(), 0.0)


def test_twilios_own_vectors() -> None:
    """Law: the signatures that Twilio's package makes are good, by either algorithm."""
    event = "SMfedcba9876543210fedcba9876543210 undelivered"

    for request in (called(STATUS, SHA1), called(STATUS, SHA256_, **{twilio._ALGORITHM: SHARED})):
        [incoming] = twilio.verify(request, of_twilio())
        assert (incoming.event_id, incoming.body) == (event, b"delivery=dlv_01J8\n" + request.body)
    params = {"CallSid": "CA1234567890ABCDE", "Digits": "1234", "From": "+14158675309"}
    params |= {"To": "+18005551212", "Caller": "+14158675309"}
    address = "https://mycompany.com/myapp.php?foo=1&bar=2"
    wanted = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert twilio.signature("12345", address, {name: [value] for name, value in params.items()}) == wanted


@pytest.mark.parametrize(
    "request_",
    [
        called(STATUS, None),
        called(STATUS, ""),
        called(STATUS, SHA1[:-2] + "A="),
        called(STATUS, SHA256_),
        called(STATUS, SHA1, **{twilio._ALGORITHM: SHARED}),
        called(STATUS, SHA1, **{twilio._ALGORITHM: "algorithm=NONE"}),
        called({**STATUS, "MessageStatus": "delivered"}, SHA1),
        called({**STATUS, "Extra": ""}, SHA1),
        called(STATUS, SHA1, TARGET.replace("8", "9")),
        called(STATUS, "\xff\xe9"),
        Request({"x-twilio-signature": SHA1}, TARGET, b"\xff\x00{]", 0.0),
    ],
)
def test_what_twilio_did_not_sign_is_refused(request_: Request) -> None:
    """Law: a signature that is missing, of another request, or by another way than is set up, proves nothing."""
    with pytest.raises(Unverified) as refused:
        twilio.verify(request_, of_twilio())
    assert str(refused.value) == ""


def test_a_shared_key_that_is_not_set_up_signs_nothing() -> None:
    """Law: the auth token is no secret for the other algorithm."""
    with pytest.raises(Unverified):
        twilio.verify(called(STATUS, SHA256_, **{twilio._ALGORITHM: SHARED}), of_twilio(twilio_shared_key=None))


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), min_size=1, max_size=6),
    st.sampled_from([PUBLIC, f"{PUBLIC}:443", f"{PUBLIC}:8443", f"{PUBLIC}/api", "http://loyalty.example.com"]),
)
def test_every_form_that_twilios_package_signs_is_proved(params: list[tuple[str, str]], public: str) -> None:
    """Law: whatever the parameters, known or new, and whether the address has a port, as the package signs it."""

    class Values(dict[str, list[str]]):
        def getall(self, name: str) -> list[str]:
            return self[name]

    values = Values()
    for name, value in params:
        values.setdefault(name, []).append(value)
    signature = RequestValidator(TOKEN).compute_signature(f"{public}{TARGET}", values)
    [incoming] = twilio.verify(called(params, signature), of_twilio(public_url=public))
    assert incoming.body.startswith(b"delivery=dlv_01J8\n")


KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcNoCzyOJM488bjKBVHt5l/ZLeJVc0MznCQTwJlkzXa2vw96gkOu6Sd"
    "+a4YJAuf9SNLVeTTvyRVkB9PQrdF6zRA=="
)
SENT_AT = 1788788367
BODY = b'[{"event":"delivered"}]'
SIGNED = "MEQCIH5chEWu7g3wdkPYdrF1DRoWJCZNj1DYNeklz6cOwqGMAiBndS6U1SwgwZoOKjqfNByGjD2VkgsHab3lay21Yf1heg=="


def posted(
    body: bytes = BODY, signature: str = SIGNED, timestamp: str = str(SENT_AT), *, at: float = SENT_AT
) -> Request:
    """An array of events that was posted, and came at an instant."""
    headers = {sendgrid._SIGNATURE: signature, sendgrid._TIMESTAMP: timestamp}
    return Request(headers, "/v1/webhooks/sendgrid", body, at)


@pytest.mark.parametrize("late", [0, 300, -300])
def test_sendgrids_own_vector(late: int) -> None:
    """Law: what SendGrid's package finds good is good, for five minutes either way; its id is that of its bytes."""
    [incoming] = sendgrid.verify(posted(at=SENT_AT + late), Settings(sendgrid_webhook_key=KEY))

    assert (incoming.event_id, incoming.body) == (hashlib.sha256(BODY).hexdigest(), BODY)


@pytest.mark.parametrize(
    "request_",
    [
        posted(BODY + b" "),
        posted(b'[ {"event":"delivered"}]'),
        posted(signature=""),
        posted(signature="not base64"),
        posted(signature=base64.b64encode(b"no DER").decode()),
        posted(timestamp=""),
        posted(timestamp="1788788368"),
        posted(at=SENT_AT + 301),
        posted(at=SENT_AT - 301),
        Request({}, "/", BODY, SENT_AT),
    ],
)
def test_what_sendgrid_did_not_sign_is_refused(request_: Request) -> None:
    """Law: other bytes, another time, no signature, or one too old prove nothing, and no word says which it was."""
    with pytest.raises(Unverified) as refused:
        sendgrid.verify(request_, Settings(sendgrid_webhook_key=KEY))
    assert str(refused.value) == ""


def test_the_window_is_a_setting() -> None:
    """Law: who wants SendGrid's retries of a whole day sets a day."""
    given_ = Settings(sendgrid_webhook_key=KEY, sendgrid_webhook_seconds=86_400)
    assert sendgrid.verify(posted(at=SENT_AT + 80_000), given_)


def test_the_timestamp_is_signed_as_it_stands() -> None:
    """Law: a timestamp that is no number is refused, however well it is signed; another's key proves nothing."""
    mine = ec.generate_private_key(ec.SECP256R1())
    public = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    given_ = Settings(sendgrid_webhook_key=base64.b64encode(public).decode())

    def signed(timestamp: str) -> Request:
        signature = mine.sign(timestamp.encode() + BODY, ec.ECDSA(SHA256()))
        return posted(signature=base64.b64encode(signature).decode(), timestamp=timestamp)

    assert sendgrid.verify(signed(str(SENT_AT)), given_)
    for request, known in ((signed("soon"), given_), (signed(str(SENT_AT)), Settings(sendgrid_webhook_key=KEY))):
        with pytest.raises(Unverified):
            sendgrid.verify(request, known)


def test_a_key_that_is_none_is_named() -> None:
    """Law: a wrong setting is no wrong signature: the error names it."""
    with pytest.raises(ConfigurationError, match="LOYALTY_SENDGRID_WEBHOOK_KEY is no public key"):
        sendgrid.verify(posted(), Settings(sendgrid_webhook_key="MFkw"))


def test_a_platform_is_there_once_its_secret_is() -> None:
    """Law: without what proves its requests a platform is not configured."""
    assert [each.configured(Settings()) for each in (sendgrid.PLATFORM, twilio.PLATFORM)] == [False, False]
    assert not twilio.configured(of_twilio(public_url=None))
    assert twilio.configured(of_twilio())
    assert sendgrid.configured(Settings(sendgrid_webhook_key=KEY))
