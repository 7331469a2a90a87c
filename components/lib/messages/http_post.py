"""Posting to a web server, so that it is known whether the message was accepted."""

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..network import advice, keep_token, route
from .send_errors import MaybeSentError, NotSentError

if TYPE_CHECKING:
    import requests

# An answer's text beyond this says nothing more.
_MOST_ANSWER = 200
# A gateway gives these when it lost the reply of the server behind it (RFC 9110, 15.6.3 and 15.6.5).
_LOST = (502, 504)
_TOO_MANY, _SERVER_ERROR = 429, 500


def host_of(url: str) -> str:
    """Return the part of an address that messages may show: its host. What follows may be a secret.

    Raises:
        NotSentError: If it is not the address of a web server.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise NotSentError("the address must begin with https:// or http:// and a host")
    return host


def post(url: str, body: bytes, headers: dict[str, str], seconds: float) -> None:
    """Post JSON, through the proxy that the environment names.

    Args:
        url: Where to. Redirects are not followed: they would turn the POST into a GET.
        body: What to post.
        headers: Headers beside the content's type.
        seconds: How long to wait for the connection, and for each part of the answer.

    Raises:
        NotSentError: If the server certainly did not take it.
        MaybeSentError: If the reply was lost.
    """
    # A quarter of a second to import, which a run that notifies nobody need not pay.
    import requests

    host = host_of(url)
    session = requests.Session()
    # A login of ~/.netrc is for no webhook; one in the address is.
    keep_token(session)
    if any(login := requests.utils.get_auth_from_url(url)):
        session.auth = login
    with session:
        _post(session, url, body, headers, seconds, host)


def _post(
    session: "requests.Session",
    url: str,
    body: bytes,
    headers: dict[str, str],
    seconds: float,
    host: str,
) -> None:
    import requests

    try:
        answer = session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json; charset=utf-8", **headers},
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        )
    except requests.exceptions.ConnectionError as error:
        raise _unreachable(error, host, route(url)) from None
    except requests.exceptions.Timeout as error:
        raise MaybeSentError(f"{host} did not answer within {seconds:g} s") from error
    except (requests.exceptions.RequestException, ValueError) as error:
        # Its text may hold the address.
        raise NotSentError(f"{host} can't be asked: {type(error).__name__}") from None
    with answer:
        _judge(answer, host)


def _judge(answer: Any, host: str) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    if status in _LOST:
        raise MaybeSentError(f"a gateway answered {status} for {host}")
    if 300 <= status < 400:
        raise NotSentError(f"{host} redirects ({status}); name the address that it redirects to")
    transient = status == _TOO_MANY or status >= _SERVER_ERROR
    raise NotSentError(f"{host} answered {status}{_said(answer)}", transient)


def _said(answer: Any) -> str:
    # Slack says why in a word, such as no_service or invalid_token.
    try:
        content = answer.raw.read(_MOST_ANSWER, decode_content=True)
    except Exception:
        return ""
    text = " ".join(content.decode(errors="replace").split())
    return f" ({text})" if text and not text.startswith("<") else ""


def _unreachable(error: Exception, host: str, way: str) -> Exception:
    """Distinguish a connection that was never made from one that broke after the message was sent."""
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
    from urllib3.exceptions import ProxyError as ProxyFailedError

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NameResolutionError):
        return NotSentError(f"the host '{host}' is unknown", transient=True)
    if isinstance(reason, ProxyFailedError):
        return NotSentError(
            f"{host} can't be reached{way}, which is unreachable itself or rejects the request",
            transient=True,
        )
    if isinstance(reason, ConnectTimeoutError | NewConnectionError):
        return NotSentError(f"{host} can't be reached", transient=True)
    if _is_certificate(reason):
        return NotSentError(f"the certificate of {host} is not trusted.{advice(error)}")
    return MaybeSentError(f"the connection to {host} broke")


def _is_certificate(error: BaseException | None) -> bool:
    chain = [error, *(error.args if error else ())]
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in chain)
