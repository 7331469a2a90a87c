"""The part of Cloud Storage's JSON API that keeps small objects, on loopback.

Its rules, by reading; none was seen on the live service:
- `ifGenerationMatch=0` on an object that is there is answered with 412:
  cloud.google.com/storage/docs/request-preconditions;
- listing after writing sees everything: cloud.google.com/storage/docs/consistency;
- prefixes and delimiters: cloud.google.com/storage/docs/json_api/v1/objects/list;
- multipart uploads, ranges of a download, deletions, copies: the pages objects/insert, /get, /delete and /rewrite
  beside it;
- permissions: cloud.google.com/storage/docs/access-control/iam-json. Listing is one on the bucket, whatever the prefix:
  lanes-sh/link#100 has the 403 of the live service.
The client is gcsfs as it is; it asks for nothing else.
"""

import base64
import email.message
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from servers.local_http import LocalServer

_OBJECT = "/storage/v1/b/{bucket}/o/{name:.+}"


class StorageServer(LocalServer):
    """Keeps objects as Cloud Storage does.

    Attributes:
        objects: Contents by bucket and name.
        deleted: Names of the objects that were deleted, in that order.
        careless: Whether it writes over an object in spite of the condition that there be none.
        grants: Returns whether the caller has a permission, such as `storage.objects.get`, on a resource's name.
        denied: What was denied: the permission and the resource's name.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.objects: dict[tuple[str, str], bytes] = {}
        self.deleted: list[str] = []
        self.careless = False
        self.grants: Callable[[str, str], bool] = lambda permission, resource: True
        self.denied: list[tuple[str, str]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/upload/storage/v1/b/{bucket}/o", _guarded(self._upload)),
            web.post(
                f"{_OBJECT}/rewriteTo/b/{{to_bucket}}/o/{{to_name:.+}}", _guarded(self._rewrite)
            ),
            web.get("/storage/v1/b/{bucket}/o", _guarded(self._list)),
            web.get(_OBJECT, _guarded(self._describe)),
            web.delete(_OBJECT, _guarded(self._delete)),
            web.get("/download/storage/v1/b/{bucket}/o/{name:.+}", _guarded(self._download)),
        ]

    async def _upload(self, request: web.Request) -> web.Response:
        query = _query(request, "uploadType", "ifGenerationMatch")
        if query.get("uploadType") != "multipart":
            raise web.HTTPBadRequest(text="only multipart uploads are known here")
        about, content = _parts(request.headers["Content-Type"], await request.read())
        key = request.match_info["bucket"], json.loads(about)["name"]
        self._require("create", *key)
        if query.get("ifGenerationMatch") == "0" and key in self.objects and not self.careless:
            raise web.HTTPPreconditionFailed(
                text=json.dumps({"error": {"code": 412, "message": "conditionNotMet"}})
            )
        if key in self.objects:
            self._require("delete", *key)
        self.objects[key] = content
        return web.json_response(self._about(*key))

    async def _list(self, request: web.Request) -> web.Response:
        query = _query(
            request, "prefix", "delimiter", "maxResults", "pageToken", "includeTrailingDelimiter"
        )
        self._require("list", request.match_info["bucket"])
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        for bucket, name in sorted(self.objects):
            if bucket != request.match_info["bucket"] or not name.startswith(prefix):
                continue
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                items.append(self._about(bucket, name))
        return web.json_response(
            {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)}
        )

    async def _describe(self, request: web.Request) -> web.Response:
        return web.json_response(self._about(*self._key(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        _query(request)
        key = self._key(request, "delete")
        del self.objects[key]
        self.deleted.append(key[1])
        return web.Response(status=204)

    async def _rewrite(self, request: web.Request) -> web.Response:
        _query(request)
        target = request.match_info["to_bucket"], request.match_info["to_name"]
        self._require("create", *target)
        self.objects[target] = self.objects[self._key(request)]
        return web.json_response({"done": True, "resource": self._about(*target)})

    async def _download(self, request: web.Request) -> web.Response:
        content = self.objects[self._key(request)]
        if "Range" not in request.headers:
            return web.Response(body=content)
        return web.Response(status=206, body=content[request.http_range])

    def _require(self, action: str, bucket: str, name: str = "") -> None:
        permission = f"storage.objects.{action}"
        resource = f"projects/_/buckets/{bucket}{name and f'/objects/{name}'}"
        if not self.grants(permission, resource):
            self.denied.append((permission, resource))
            error = {"code": 403, "message": f"caller has no {permission} access to {resource}"}
            raise web.HTTPForbidden(text=json.dumps({"error": error}))

    def _key(self, request: web.Request, action: str = "get") -> tuple[str, str]:
        key = request.match_info["bucket"], request.match_info["name"]
        self._require(action, *key)
        if key not in self.objects:
            raise web.HTTPNotFound(
                text=json.dumps({"error": {"code": 404, "message": "no object"}})
            )
        return key

    def _about(self, bucket: str, name: str) -> dict[str, Any]:
        content = self.objects[bucket, name]
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return {
            "kind": "storage#object",
            "name": name,
            "bucket": bucket,
            "generation": "1",
            "size": str(len(content)),
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "timeCreated": now,
            "updated": now,
            "mediaLink": f"{self.url}/download/storage/v1/b/{bucket}/o/{name}?alt=media",
        }


def _guarded(
    act: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return await act(request)
        except web.HTTPException as error:
            # aiohttp would close the connection and say it as text.
            return web.Response(
                status=error.status, text=error.text, content_type="application/json"
            )

    return handle


def _parts(content_type: str, body: bytes) -> list[bytes]:
    """Return the contents of a body's parts (RFC 2046, section 5.1).

    The standard library takes 20 ms for a megabyte, which holds up everybody else in this process.
    """
    boundary = email.message.Message()
    boundary["Content-Type"] = content_type
    line = f"--{boundary.get_boundary()}".encode()
    end = b"\r\n" if body.startswith(line + b"\r\n") else b"\n"
    _, *parts, _ = (end + body).split(end + line)
    return [part.partition(2 * end)[2] for part in parts]


def _query(request: web.Request, *known: str) -> dict[str, str]:
    unknown = request.query.keys() - set(known)
    if unknown:
        raise web.HTTPBadRequest(text=f"unknown query {unknown}")
    return dict(request.query)
