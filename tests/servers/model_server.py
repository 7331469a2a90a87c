"""A server of predictions on loopback, with the REST APIs of TensorFlow Serving and of the Open Inference Protocol.

Paths and bodies by reading: github.com/tensorflow/serving, tensorflow_serving/g3doc/api_rest.md, and
github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

import asyncio
import gzip
import json

from aiohttp import web
from servers.local_http import LocalServer

PREDICT = "/v1/models/flights:predict"


class ModelServer(LocalServer):
    """Predicts the double of each instance, or of its distance.

    Attributes:
        versions: Versions of the model by their state.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.versions = {"3": "AVAILABLE"}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/models/{model}", self._status),
            web.post("/v1/models/{model}:predict", self._predict),
            web.post("/v1/models/{model}/versions/{version}:predict", self._predict),
            web.post("/v1/models/{model}/labels/{label}:predict", self._predict),
            web.post("/v2/models/{model}/infer", self._infer),
            web.post("/echo/invocations", self._echo),
            web.post("/stream/invocations", self._stream),
            web.post("/broken/invocations", self._break_off),
            web.post("/packed/invocations", self._pack),
            web.route("*", "/any/{rest:.*}", self._describe),
        ]

    async def _status(self, request: web.Request) -> web.Response:
        if request.match_info["model"] != "flights":
            return web.json_response({"error": "no such model"}, status=404)
        listed = [
            {"version": version, "state": state, "status": {"error_code": "OK"}}
            for version, state in self.versions.items()
        ]
        return web.json_response({"model_version_status": listed})

    async def _predict(self, request: web.Request) -> web.Response:
        try:
            instances = json.loads(await request.read())["instances"]
            numbers = [one["distance"] if isinstance(one, dict) else one for one in instances]
            predictions = [2 * number for number in numbers]
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": f"JSON Parse error: {error}"}, status=400)
        return web.Response(
            text=json.dumps({"predictions": predictions}, indent=4), content_type="application/json"
        )

    async def _infer(self, request: web.Request) -> web.Response:
        sent = await request.json()
        outputs = [{**one, "name": "prediction"} for one in sent["inputs"]]
        answer = {"model_name": "flights", "model_version": "7", "outputs": outputs}
        return web.json_response(answer, headers={"X-Model-Version": "7"})

    async def _echo(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/octet-stream")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in range(3):
            await response.write(b'{"piece": %d}\n' % piece)
            await asyncio.sleep(0.02)
        await response.write_eof()
        return response

    async def _break_off(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000000"})
        await response.prepare(request)
        await response.write(b'{"predictions": [')
        await asyncio.sleep(0.02)
        if request.transport:
            request.transport.abort()
        return response

    async def _pack(self, request: web.Request) -> web.Response:
        body = gzip.compress(await request.read())
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async def _describe(self, request: web.Request) -> web.Response:
        answer = web.json_response(
            {"method": request.method, "path": request.raw_path, "headers": dict(request.headers)}
        )
        answer.headers.extend([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Own", "kept")])
        return answer
