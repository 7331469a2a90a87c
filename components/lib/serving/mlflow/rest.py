"""MLflow's REST API, with the login, proxies and certificates that the environment names.

The variables are MLflow's own: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN;
MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_INSECURE_TLS (mlflow/mlflow, mlflow/environment_variables.py).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...network import advice, keep_token, prepare, route
from ..http_reason import http_reason
from ..interface import ServiceError

USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
TOKEN = "MLFLOW_TRACKING_TOKEN"
CERTIFICATES, INSECURE = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_INSECURE_TLS"
MISSING, EXISTS = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
_SECONDS = 60.0
_DENIED = (401, 403)
_TOO_MANY, _SERVER_ERROR, _BAD_REQUEST = 429, 500, 400
_MOST_SAID = 300


class MLflowError(ServiceError):
    """An answer of MLflow that is an error.

    Attributes:
        code: MLflow's error code, such as `RESOURCE_DOES_NOT_EXIST`; empty if the answer had none.
    """

    def __init__(self, message: str, transient: bool = False, code: str = "") -> None:
        super().__init__(message, transient)
        self.code = code


@dataclass(frozen=True)
class Rest:
    """An MLflow server.

    Attributes:
        uri: Its address, as MLFLOW_TRACKING_URI has it.
    """

    uri: str

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET request and return the answer's JSON.

        Args:
            path: Below `api/2.0/mlflow/`.
            **query: The query; what is empty is left out.

        Raises:
            MLflowError: If the answer is an error, or none comes.
        """
        return self._send("GET", path, params={k: v for k, v in query.items() if v})

    def post(self, path: str, **body: Any) -> Any:
        """Send a POST request and return the answer's JSON; see `get`."""
        return self._send("POST", path, json=body)

    def delete(self, path: str, **body: Any) -> Any:
        """Send a DELETE request and return the answer's JSON; see `get`."""
        return self._send("DELETE", path, json=body)

    def pages(self, path: str, key: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a list that comes in pages.

        Args:
            path: Below `api/2.0/mlflow/`.
            key: The list's key in an answer.
            **query: The query.
        """
        token = ""
        while True:
            answer = self.get(path, page_token=token, **query)
            yield from answer.get(key) or ()
            token = answer.get("next_page_token") or ""
            if not token:
                return

    @cached_property
    def _session(self) -> Any:
        prepare()
        import requests

        session = requests.Session()
        # A login of ~/.netrc is for no MLflow server that the environment has a login for.
        keep_token(session)
        if user := os.environ.get(USER):
            session.auth = (user, os.environ.get(PASSWORD, ""))
        elif token := os.environ.get(TOKEN):
            session.headers["Authorization"] = f"Bearer {token}"
        return session

    def _send(self, method: str, path: str, **content: Any) -> Any:
        session = self._session
        import requests

        url = f"{self.uri.rstrip('/')}/api/2.0/mlflow/{path}"
        verify: dict[str, Any] = {}
        if os.environ.get(INSECURE, "").lower() in ("true", "1"):
            verify = {"verify": False}
        elif bundle := os.environ.get(CERTIFICATES):
            verify = {"verify": bundle}
        try:
            answer = session.request(method, url, timeout=_SECONDS, **content, **verify)
        except (requests.exceptions.RequestException, OSError) as error:
            raise MLflowError(
                f"MLflow at {self.uri} can't be reached{route(url)}: {http_reason(error)}.{advice(error)} Check "
                "serving.deploy.mlflow.tracking_uri, and that the server runs.",
                transient=True,
            ) from error
        if answer.status_code < _BAD_REQUEST:
            return self._json(answer, path)
        raise self._error(answer, path)

    def _json(self, answer: Any, path: str) -> Any:
        try:
            return answer.json() if answer.content else {}
        except ValueError as error:
            raise MLflowError(
                f"what answers at {self.uri} is not MLflow's API ({path} gave no JSON). Check "
                "serving.deploy.mlflow.tracking_uri."
            ) from error

    def _error(self, answer: Any, path: str) -> MLflowError:
        status = answer.status_code
        try:
            said = answer.json()
            code, message = str(said.get("error_code", "")), str(said.get("message", ""))
        except (ValueError, AttributeError):
            code, message = "", " ".join(answer.text.split())
        if status in _DENIED:
            fix = f"Set {USER} and {PASSWORD}, or {TOKEN}, to a user who may edit the registered model and experiment."
            return MLflowError(
                f"MLflow at {self.uri} denies {path} (status {status}). {fix}", code=code
            )
        transient = status == _TOO_MANY or status >= _SERVER_ERROR
        words = message[:_MOST_SAID].rstrip(".") or "no reason given"
        return MLflowError(
            f"MLflow at {self.uri} answered {path} with status {status}: {words}.", transient, code
        )
