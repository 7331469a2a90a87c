"""KServe's own client asks a server for predictions by both protocols; runs in an environment of its own.

    python kserve_python_client.py URL NAME < COLUMNS

Columns are JSON: V2's datatype and the values, by name. It prints the answers as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig


async def ask(url: str, name: str, columns: dict[str, tuple[str, list[Any]]]) -> dict[str, Any]:
    """Send the same rows by both protocols."""
    cells = {column: values for column, (_, values) in columns.items()}
    rows = [dict(zip(cells, one, strict=True)) for one in zip(*cells.values(), strict=True)]
    inputs = [
        InferInput(column, [len(values)], kind, values)
        for column, (kind, values) in columns.items()
    ]
    first = InferenceRESTClient(RESTConfig(protocol="v1"))
    second = InferenceRESTClient(RESTConfig(protocol="v2"))
    v1 = await first.infer(url, {"instances": rows}, model_name=name)
    v2 = await second.infer(url, InferRequest(name, inputs, request_id="one"), model_name=name)
    (output,) = v2.outputs
    return {
        "v1": v1["predictions"],
        "v2": output.as_numpy().tolist(),
        "id": v2.id,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], sys.argv[2], json.load(sys.stdin)))))
