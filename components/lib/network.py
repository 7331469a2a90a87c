"""How this process reaches the network: the proxies and certificates that its environment names, for every client.

Each library reads variables of its own. `prepare` fills in the spellings that are missing, so that one variable holds
for all. Who reads what:

- requests (Vertex AI, Google's credentials, BigQuery's REST API, registries): HTTPS_PROXY in either case, and
  REQUESTS_CA_BUNDLE: requests.readthedocs.io/en/latest/user/advanced, "Proxies" and "SSL Cert Verification".
- gRPC (Pub/Sub, BigQuery's Storage Read API): https_proxy and no_proxy in lower case alone, and
  GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: grpc/grpc doc/core/default_http_proxy_mapper.md and doc/environment_variables.md.
- aiohttp (gs://, Google's certificates): the proxy that it is given, or HTTPS_PROXY if `trust_env` is set, and
  SSL_CERT_FILE when it is imported: aio-libs/aiohttp aiohttp/helpers.py `proxies_from_env` and aiohttp/connector.py
  `_make_ssl_context`.
- botocore (s3://): HTTPS_PROXY in either case, and AWS_CA_BUNDLE, else REQUESTS_CA_BUNDLE: boto/botocore
  botocore/endpoint.py.
- httplib2 (Beam): HTTPLIB2_CA_CERTS, when it is imported: httplib2/httplib2 python3/httplib2/certs.py.
"""

import os
import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from .errors import RetrainerError

_PROXIES = ("http_proxy", "https_proxy")
# In this order: whoever sets one of the first two means all clients; an installation may set the others for its own.
_CERTIFICATES = (
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
_FILLED = (
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPLIB2_CA_CERTS",
)
# What no proxy leads to: this machine, and the metadata servers of Google Cloud and AWS, which answer to the machine
# itself at a link-local address (cloud.google.com/compute/docs/metadata/querying-metadata).
_OWN = ("localhost", "127.0.0.1", "::1", "metadata.google.internal", "169.254.169.254")
# In a pod, where this variable is set, the cluster's own names.
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_CLUSTER_NAMES = (".svc", ".cluster.local")
_UNTRUSTED = re.compile("certificate.verify.failed", re.IGNORECASE)
_NO_LOGIN = re.compile("407.*proxy|proxy.*407", re.IGNORECASE)


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have every library of this process use the proxies and certificates that the environment names.

    To be called before a client's library is imported; a second call changes nothing.

    Args:
        environment: The variables to read and to fill in.
    """
    everything = _either(environment, "all_proxy")
    if not everything.startswith(("http://", "https://")):
        # Few of the clients speak SOCKS.
        everything = ""
    found = {name: _either(environment, name) or everything for name in _PROXIES}
    wanted = {}
    for name, proxy in found.items():
        if proxy:
            wanted[name] = proxy if "://" in proxy else f"http://{proxy}"
    if wanted:
        wanted["no_proxy"] = _without_own(environment)
        wanted.update({name.upper(): value for name, value in wanted.items()})
    bundle = _certificates(environment)[1]
    if os.path.isfile(bundle):
        wanted.update({name: bundle for name in _FILLED if not environment.get(name)})
    for name, value in wanted.items():
        # A variable that is set while a thread of C++ reads another may crash it: what is right is left alone.
        if environment.get(name) != value:
            environment[name] = value


def certificates() -> str:
    """Return the file of certificates that the environment wants servers to be checked by.

    Returns:
        Its path; empty for the libraries' own, also where a folder is named, which `requests` alone takes.

    Raises:
        RetrainerError: If there is no such file.
    """
    name, bundle = _certificates(os.environ)
    if os.path.isdir(bundle):
        return ""
    if bundle and not os.path.isfile(bundle):
        raise RetrainerError(
            f"the variable {name} is '{bundle}', and there is no such file. Name a file of certificates (PEM)."
        )
    return bundle


def proxy_for(url: str) -> str:
    """Return the proxy that leads to an address.

    Args:
        url: The address.

    Returns:
        The proxy's address, its user and password included; empty if the way is direct.

    Raises:
        RetrainerError: If what the environment names is no address.
    """
    # As `requests` decides, which knows ranges of addresses in NO_PROXY.
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    try:
        return prepend_scheme_if_needed(proxy, "http") if proxy else ""
    except ValueError:
        # It may have a password, so it is not shown, and neither is the error that quotes it.
        raise RetrainerError(
            f"the variable {urlsplit(url).scheme.upper()}_PROXY (or ALL_PROXY) is no address of a proxy. Write it as "
            "http://host:port, with user:password@ before the host if it needs them."
        ) from None


def keep_token(session: Any) -> None:
    """Have a session of `requests` send the token that its owner puts into the headers, and no login of ~/.netrc.

    Where a session has no `auth`, requests looks a login up for the host and overwrites the header Authorization; a
    netrc file with a `default` has one for every host (psf/requests src/requests/sessions.py, prepare_request).

    Args:
        session: The session.
    """
    session.auth = _as_it_is


def use_proxy(configuration: Any, url: str) -> None:
    """Lead a client that openapi-generator made through the proxy, if there is one: its urllib3 asks no environment.

    Args:
        configuration: Of `kfp_server_api` or `kubernetes.client`; a proxy that it has is kept.
        url: The address that the client asks.
    """
    import urllib3

    if configuration.proxy or not (proxy := proxy_for(url)):
        return
    configuration.proxy = proxy
    if login := urllib3.util.parse_url(proxy).auth:
        configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=unquote(login))


def route(url: str, http_only: bool = False) -> str:
    """Describe the way to an address, for errors.

    Args:
        url: The address.
        http_only: Whether its client takes a proxy's address with http:// alone, and else goes without it.

    Returns:
        Such as ` through the proxy http://proxy:3128 (HTTPS_PROXY)`, without its password; empty if the way is direct.
    """
    proxy = proxy_for(url)
    if not proxy:
        return ""
    parts = urlsplit(proxy)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    variable = f"{urlsplit(url).scheme.upper()}_PROXY"
    if http_only and parts.scheme != "http":
        return f" without the proxy {shown} ({variable}), which this client takes with http:// only"
    return f" through the proxy {shown} ({variable})"


def is_untrusted(error: BaseException) -> bool:
    """Return whether an error means that a server's certificate is signed by nobody known, or is for another name."""
    return bool(_UNTRUSTED.search(" ".join(_texts(error))))


def advice(error: BaseException) -> str:
    """Return what to do about an error that a proxy or a certificate made.

    Args:
        error: The error; what caused it counts.

    Returns:
        A sentence with a space before it; empty if it is another kind of error.
    """
    if is_untrusted(error):
        name, bundle = _certificates(os.environ)
        known = f", in place of '{bundle}'" if bundle else ""
        return (
            f" Name a file with the certificates that sign it in {name or _CERTIFICATES[0]}{known}."
        )
    if _NO_LOGIN.search(" ".join(_texts(error))):
        return (
            " Put the proxy's user and password into its address: http://user:password@host:port."
        )
    return ""


def file_system_options(protocol: str, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file system of fsspec needs beyond the environment to go through proxies, and to check who answers.

    Args:
        protocol: Such as `gs`.
        configured: The options that fsspec's configuration holds for it.

    Returns:
        Options for its opening.
    """
    if protocol in ("gs", "gcs"):
        # By name and not by aiohttp's `trust_env`, which would send a login of ~/.netrc in place of the token.
        proxy = proxy_for(configured.get("endpoint_url") or _storage_address())
        own = configured.get("session_kwargs", {})
        return {"session_kwargs": {"proxy": proxy, **own}} if proxy else {}
    if protocol in ("s3", "s3a"):
        try:
            from .s3_session import CheckedSession
        except ImportError:
            # Opening it says what is missing.
            return {}
        given = configured.get("config_kwargs", {})
        return {"config_kwargs": {"http_session_cls": CheckedSession, **given}}
    return {}


def _as_it_is(request: Any) -> Any:
    return request


def _storage_address() -> str:
    """Return where gcsfs finds Cloud Storage: fsspec/gcsfs gcsfs/core.py, `_location`."""
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if emulator in ("", "default"):
        return "https://storage.googleapis.com"
    return emulator if "://" in emulator else f"http://{emulator}"


def _texts(error: BaseException) -> Iterator[str]:
    """Yield what an error says, and what caused it."""
    pending: list[Any] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield str(one)
        # botocore keeps a cause among the words of its message.
        words = getattr(one, "kwargs", None)
        own = words.get("error") if isinstance(words, dict) else None
        pending += [one.__cause__, one.__context__, own]


def _either(environment: Mapping[str, str], name: str) -> str:
    """Return a variable that may be in either case; the lower one goes first, as with curl."""
    return environment.get(name) or environment.get(name.upper()) or ""


def _certificates(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that names a file of certificates, and the file; both empty if none does."""
    found = ((name, environment.get(name, "")) for name in _CERTIFICATES)
    return next((one for one in found if one[1]), ("", ""))


def _without_own(environment: Mapping[str, str]) -> str:
    known = _either(environment, "no_proxy")
    names = [name.strip() for name in known.split(",") if name.strip()]
    if "*" in names:
        return known
    own = list(_OWN)
    # google-auth's own variable, a host that may have a port (google/auth/environment_vars.py).
    if metadata := environment.get("GCE_METADATA_HOST", "").partition(":")[0]:
        own.append(metadata)
    if environment.get(_IN_CLUSTER):
        own += [environment[_IN_CLUSTER], *_CLUSTER_NAMES]
    return ",".join([*names, *(name for name in own if name not in names)])
