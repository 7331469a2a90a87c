"""Google's clients of BigQuery, made from the environment, and their errors in words.

The libraries behind them come with apache-beam[gcp] and are imported when a client is made.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import RetrainerError
from ..network import advice, keep_token, prepare, route

# Google's own variable, a URL; the tables' REST API is then asked there, without credentials.
EMULATOR = "BIGQUERY_EMULATOR_HOST"
# Ours, `host:port` without TLS: Google's library of the Storage Read API has none.
STORAGE_EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"
BILLING_PROJECT = "GOOGLE_CLOUD_PROJECT"
REQUEST_SECONDS = 60.0
# For so long a service that does not answer is asked again.
RETRY_SECONDS = 300.0
_UNLIMITED = -1
_ADDRESS = "https://bigquery.googleapis.com"


def billing_project(data_project: str) -> str:
    """Return the project that pays for queries and reads.

    Args:
        data_project: The project that the data lies in.

    Returns:
        GOOGLE_CLOUD_PROJECT of the environment, else the data's own. What the metadata server says is not asked: on
        Vertex AI it names a project of Google's.
    """
    return os.environ.get(BILLING_PROJECT) or data_project


def open_tables(data_project: str) -> Any:
    """Make a client of tables and jobs.

    Args:
        data_project: The project that the data lies in.

    Returns:
        A `google.cloud.bigquery.Client`, with the credentials that google-auth finds, or none for an emulator.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: If there are no credentials.
    """
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    prepare()
    credentials = AnonymousCredentials() if os.environ.get(EMULATOR) else None
    client = bigquery.Client(project=billing_project(data_project), credentials=credentials)
    keep_token(client._http)
    return client


def open_reader() -> Any:
    """Make a client of the Storage Read API, which is closed at the end of a `with`.

    Returns:
        A `google.cloud.bigquery_storage_v1.BigQueryReadClient`, with the credentials that google-auth finds, or none
        for an emulator.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: If there are no credentials.
        RetrainerError: If an emulator is set for tables and none for reading them.
    """
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

    prepare()
    emulator = os.environ.get(STORAGE_EMULATOR)
    if not emulator:
        if os.environ.get(EMULATOR):
            raise RetrainerError(
                f"{EMULATOR} is '{os.environ[EMULATOR]}' and {STORAGE_EMULATOR} is not set: rows are read through the "
                "Storage Read API. Set it to the emulator's gRPC address, host:port, or unset both."
            )
        return BigQueryReadClient()
    import grpc  # type: ignore[import-untyped]
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
        BigQueryReadGrpcTransport,
    )

    # As the client makes its own: a response may have 128 MB.
    limits = [
        ("grpc.max_send_message_length", _UNLIMITED),
        ("grpc.max_receive_message_length", _UNLIMITED),
    ]
    channel = grpc.insecure_channel(emulator, options=limits)
    return BigQueryReadClient(
        transport=BigQueryReadGrpcTransport(channel=channel, credentials=AnonymousCredentials())
    )


@contextmanager
def explained(what: str, data_project: str, remedy: str = "Check data.pattern.") -> Iterator[None]:
    """Translate the errors of Google's libraries.

    Args:
        what: What is asked for, such as `the table 'a.b.c'`.
        data_project: The project that the data lies in.
        remedy: What to do if BigQuery rejects the request.

    Raises:
        RetrainerError: In place of every error of theirs.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from requests.exceptions import RequestException

    try:
        yield
    except auth.DefaultCredentialsError as error:
        raise RetrainerError(
            f"there are no Google credentials to reach {what} with. Log in (gcloud auth application-default login), or "
            "run as a service account."
        ) from error
    except auth.TransportError as error:
        raise _failed(what, error) from error
    except (auth.GoogleAuthError, api.Unauthorized) as error:
        raise RetrainerError(
            f"Google does not take the credentials to reach {what} with: {_first_line(error)} Log in again (gcloud "
            "auth application-default login), or fix the service account."
        ) from error
    except api.Forbidden as error:
        project = billing_project(data_project)
        roles = (
            "The caller needs roles/bigquery.dataViewer on the dataset, and roles/bigquery.readSessionUser and "
            f"roles/bigquery.jobUser on the project '{project}', which pays (another: {BILLING_PROJECT})."
        )
        denied = _reasons(error) <= {"accessDenied"}
        raise RetrainerError(
            f"BigQuery refuses {what}: {_first_line(error)} {roles if denied else 'Fix that, and run again.'}"
        ) from error
    except api.NotFound as error:
        raise RetrainerError(
            f"BigQuery does not find {what}: {_first_line(error)} {remedy}"
        ) from error
    except api.BadRequest as error:
        raise RetrainerError(
            f"BigQuery can't give {what}: {_first_line(error)} {remedy}"
        ) from error
    except (api.GoogleAPIError, RequestException, TimeoutError) as error:
        if "bytesBilledLimitExceeded" in _reasons(error):
            # The library takes it for an error of the server's.
            raise RetrainerError(
                f"BigQuery refuses data.query: {_first_line(error)} Read fewer columns or days, or raise that limit."
            ) from error
        raise _failed(what, error) from error


def _failed(what: str, error: Exception) -> RetrainerError:
    fix = advice(error) or " Run again when it answers."
    return RetrainerError(
        f"BigQuery failed to give {what}{route(_ADDRESS)}: {_first_line(error)}{fix}"
    )


def _reasons(error: Exception) -> set[str]:
    """Return the REST API's own words for what is wrong; gRPC has none."""
    errors = getattr(error, "errors", ())
    return {one["reason"] for one in errors if isinstance(one, dict) and "reason" in one}


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    # The REST client puts the request before the service's own words.
    line = re.sub(r"^(\d{3} )?(GET|POST) \S+: ", "", text.splitlines()[0].strip())
    return line if line.endswith(".") else f"{line}."
