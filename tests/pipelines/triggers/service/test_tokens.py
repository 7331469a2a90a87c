"""Who is let in, checked with real keys over a real connection to a server of certificates."""

import asyncio
import base64
import json
import time

import pytest
from servers.cloud_run import strip
from servers.google_tokens import ACCOUNT, AUDIENCE, CertificateServer, SigningKey

from retrainer.pipelines.project.sections.triggers import PushAuth
from retrainer.pipelines.triggers.service.certificates import (
    REFETCH_SECONDS,
    Certificates,
    CertificatesUnavailableError,
)
from retrainer.pipelines.triggers.service.tokens import TokenError, TokenVerifier

GOOGLES = SigningKey("2026-a")
NEXT = SigningKey("2026-b")
SOMEBODYS = SigningKey("2026-a")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server():
    with CertificateServer(GOOGLES) as running:
        yield running


@pytest.fixture
def verifier(server, clock):
    return TokenVerifier(AUDIENCE, ACCOUNT, Certificates(server.certs_url, clock))


def verify(verifier, *tokens):
    async def run():
        for token in tokens:
            await verifier.verify({"Authorization": f"Bearer {token}"})

    asyncio.run(run())


def refusal(verifier, header):
    with pytest.raises(TokenError) as caught:
        asyncio.run(verifier.verify({"Authorization": header}))
    return caught.value


def test_pubsubs_token_is_accepted_and_verified_once(verifier, server):
    token = GOOGLES.token()
    verify(verifier, token, token, token)
    server.down = True
    verify(verifier, token)
    assert len(server.requests) == 1


def test_several_audiences_and_accounts_may_come_in(server):
    audiences, accounts = f"https://other.example.com, {AUDIENCE}", f"{ACCOUNT},b@acme.example"
    verifier = TokenVerifier(audiences, accounts, Certificates(server.certs_url))
    verify(verifier, GOOGLES.token(), GOOGLES.token(aud="https://other.example.com"))
    assert refusal(verifier, f"Bearer {GOOGLES.token(aud=audiences)}").kind == "audience"
    assert refusal(verifier, f"Bearer {GOOGLES.token(email='')}").kind == "account"


@pytest.fixture
def behind_iam(server, clock):
    certificates = Certificates(server.certs_url, clock)
    return TokenVerifier(AUDIENCE, ACCOUNT, certificates, PushAuth.IAM)


def test_behind_iam_a_token_without_its_signature_is_accepted_and_needs_no_certificates(
    behind_iam, server
):
    server.down = True
    asyncio.run(behind_iam.warm())
    token = strip(GOOGLES.token())
    verify(behind_iam, token, token)
    assert server.requests == []


def test_a_removed_signature_alone_is_never_trusted(verifier):
    error = refusal(verifier, f"Bearer {strip(GOOGLES.token())}")
    assert (error.kind, error.status) == ("signature_removed", 401)
    assert "trigger_service.auth" in str(error)


CLAIMS = [
    ({"aud": "https://other.example.com"}, "audience", 403),
    ({"aud": None}, "audience", 403),
    ({"email": "other@acme-ml.iam.gserviceaccount.com"}, "account", 403),
    ({"email_verified": False}, "account", 403),
    ({"iss": "https://accounts.example.com"}, "issuer", 403),
    ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 3660}, "expired", 401),
    ({"iat": int(time.time()) + 36_000}, "expired", 401),
    ({"exp": None}, "forged", 401),
    ({"iat": "today"}, "forged", 401),
    ({"exp": True}, "forged", 401),
]


@pytest.mark.parametrize(("claims", "kind", "status"), CLAIMS)
def test_behind_iam_all_but_the_signature_is_checked(behind_iam, claims, kind, status):
    error = refusal(behind_iam, f"Bearer {strip(GOOGLES.token(**claims))}")
    assert (error.kind, error.status) == (kind, status)


def test_behind_iam_a_token_that_iam_did_not_check_is_checked_here(behind_iam):
    # A service that was made public: Cloud Run hands tokens on as they came.
    verify(behind_iam, GOOGLES.token())
    assert refusal(behind_iam, f"Bearer {SOMEBODYS.token()}").kind == "forged"
    assert refusal(behind_iam, "Bearer a.b.SIGNATURE_REMOVED_BY_GOOGLE").kind == "malformed"


def test_behind_iam_the_header_that_iam_checked_is_the_one_that_counts(behind_iam, verifier):
    good, bad = (f"Bearer {strip(GOOGLES.token(**c))}" for c in ({}, {"email": "other@a.b"}))
    asyncio.run(behind_iam.verify({"Authorization": "Basic x", "X-Serverless-Authorization": good}))
    with pytest.raises(TokenError):
        asyncio.run(behind_iam.verify({"Authorization": good, "X-Serverless-Authorization": bad}))
    # Without IAM in front, anybody can send that header, and nobody looks at it.
    with pytest.raises(TokenError):
        asyncio.run(verifier.verify({"X-Serverless-Authorization": f"Bearer {GOOGLES.token()}"}))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", GOOGLES.token()])
def test_no_token_is_a_401(verifier, header):
    error = refusal(verifier, header)
    assert (error.kind, error.status) == ("missing", 401)


def test_another_issuer_of_the_short_form_is_googles_too(verifier):
    verify(verifier, GOOGLES.token(iss="accounts.google.com"))


@pytest.mark.parametrize(
    ("claims", "kind", "status"),
    [
        ({"aud": "https://other.example.com"}, "audience", 403),
        ({"aud": [AUDIENCE]}, "audience", 403),
        ({"aud": None}, "audience", 403),
        ({"email": "other@acme-ml.iam.gserviceaccount.com"}, "account", 403),
        ({"email": None}, "account", 403),
        ({"email_verified": False}, "account", 403),
        ({"email_verified": "true"}, "account", 403),
        ({"email_verified": None}, "account", 403),
        ({"iss": "https://accounts.example.com"}, "issuer", 403),
        ({"iss": None}, "issuer", 403),
        ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 3660}, "expired", 401),
        ({"iat": int(time.time()) + 36_000}, "expired", 401),
        ({"exp": None}, "forged", 401),
        ({"iat": None}, "forged", 401),
        ({"iat": "today"}, "forged", 401),
    ],
)
def test_googles_signature_alone_accepts_no_request(verifier, claims, kind, status):
    error = refusal(verifier, f"Bearer {GOOGLES.token(**claims)}")
    assert (error.kind, error.status) == (kind, status)


def test_ten_seconds_of_clock_skew_are_allowed(verifier):
    now = int(time.time())
    verify(verifier, GOOGLES.token(exp=now - 5, iat=now - 3605), GOOGLES.token(iat=now + 5))


def test_a_token_signed_by_another_key_of_the_same_id_is_forged(verifier):
    error = refusal(verifier, f"Bearer {SOMEBODYS.token()}")
    assert (error.kind, error.status) == ("forged", 401)


def test_changed_claims_are_forged(verifier):
    head, _, signature = GOOGLES.token(email="other@acme-ml.iam.gserviceaccount.com").split(".")
    claims = json.loads(base64.urlsafe_b64decode(GOOGLES.token().split(".")[1] + "=="))
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    assert refusal(verifier, f"Bearer {head}.{body}.{signature}").kind == "forged"


def unsigned(**header):
    body = GOOGLES.token().split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"{head}.{body}.c2lnbmVk"


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "....",
        "é.é.é",
        "A" * 5000,
        unsigned(alg="none", kid="2026-a"),
        unsigned(alg="HS256", kid="2026-a"),
        unsigned(alg="ES256", kid="2026-a"),
        unsigned(alg="RS256"),
        unsigned(alg="RS256", kid=["2026-a"]),
        unsigned(alg=["RS256"], kid="2026-a"),
    ],
)
def test_what_is_no_token_of_googles_form_is_refused_without_asking(verifier, server, token):
    error = refusal(verifier, f"Bearer {token}")
    assert (error.kind, error.status) == ("malformed", 401)
    assert server.requests == []
    assert token not in str(error) or len(token) < 5


def test_a_new_key_is_fetched_when_its_first_token_comes(verifier, server, clock):
    verify(verifier, GOOGLES.token())
    server.keys.append(NEXT)
    clock.now += REFETCH_SECONDS
    verify(verifier, NEXT.token())
    assert len(server.requests) == 2


def test_made_up_key_ids_do_not_make_us_ask_at_every_request(verifier, server, clock):
    verify(verifier, GOOGLES.token())
    for number in range(20):
        assert refusal(verifier, f"Bearer {NEXT.token(sub=str(number))}").kind == "unknown_key"
    assert len(server.requests) == 1
    clock.now += REFETCH_SECONDS
    refusal(verifier, f"Bearer {NEXT.token()}")
    assert len(server.requests) == 2


def test_certificates_are_fetched_again_when_their_age_is_over(verifier, server, clock):
    server.max_age = 60
    verify(verifier, GOOGLES.token())
    clock.now += 59
    verify(verifier, GOOGLES.token(sub="2"))
    assert len(server.requests) == 1
    server.keys = [NEXT]
    clock.now += 1
    assert refusal(verifier, f"Bearer {GOOGLES.token(sub='3')}").kind == "unknown_key"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [0, 404, 503])
def test_without_certificates_no_request_is_accepted(verifier, server, clock, status):
    # The client itself tries a GET once more if it is hung up on.
    server.fail_next(1 if status else 2, status=status)
    with pytest.raises(CertificatesUnavailableError):
        verify(verifier, GOOGLES.token())
    asked = len(server.requests)
    with pytest.raises(CertificatesUnavailableError):
        verify(verifier, GOOGLES.token())
    # Those who wait would each wait for a server that does not answer.
    assert len(server.requests) == asked
    clock.now += 60
    verify(verifier, GOOGLES.token())


def test_a_proxy_that_is_no_address_accepts_no_request(verifier, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://[bad")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(CertificatesUnavailableError, match="HTTP_PROXY"):
        verify(verifier, GOOGLES.token())


def test_what_is_no_list_of_certificates_accepts_no_request(server, clock, verifier):
    server.keys = []
    with pytest.raises(CertificatesUnavailableError):
        verify(verifier, GOOGLES.token())


def test_many_first_requests_fetch_once(verifier, server):
    async def run():
        await asyncio.gather(
            *(
                verifier.verify({"Authorization": f"Bearer {GOOGLES.token(sub=str(n))}"})
                for n in range(20)
            )
        )

    asyncio.run(run())
    assert len(server.requests) == 1
