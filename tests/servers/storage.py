"""Cloud Storage's JSON API on loopback, as far as gcsfs uses it."""

import base64
import hashlib
import itertools
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from servers.local_http import LocalServer


class StorageServer(LocalServer):
    """Keeps objects, and refuses a precondition that does not hold.

    Attributes:
        objects: Content by `(bucket, name)`.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.objects: dict[tuple[str, str], bytes] = {}
        self._meta: dict[tuple[str, str], dict[str, Any]] = {}
        self._generations = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/storage/v1/b/{bucket}", self._bucket),
            web.get("/storage/v1/b/{bucket}/o", self._list),
            web.get("/storage/v1/b/{bucket}/o/{name:.+}", self._get),
            web.get("/download/storage/v1/b/{bucket}/o/{name:.+}", self._download),
            web.delete("/storage/v1/b/{bucket}/o/{name:.+}", self._delete),
            web.post("/upload/storage/v1/b/{bucket}/o", self._upload),
        ]

    def put(self, bucket: str, name: str, data: bytes = b"") -> None:
        """Write an object; a name that ends in `/` and no data is what the console makes of a folder."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        key = (bucket, name)
        self.objects[key] = data
        self._meta[key] = {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(data)),
            "generation": str(next(self._generations)),
            "metageneration": "1",
            "etag": hashlib.md5(data).hexdigest(),
            "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
            "timeCreated": now,
            "updated": now,
        }

    async def _bucket(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "storage#bucket", "name": request.match_info["bucket"]})

    async def _list(self, request: web.Request) -> web.Response:
        bucket, query = request.match_info["bucket"], request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        for (owner, name), meta in sorted(self._meta.items()):
            if owner != bucket or not name.startswith(prefix):
                continue
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.partition(delimiter)[0] + delimiter)
                if rest != delimiter:
                    continue
            items.append(meta)
        most = int(query.get("maxResults", 1000))
        start = int(query.get("pageToken", 0))
        answer: dict[str, Any] = {"kind": "storage#objects", "items": items[start : start + most]}
        if prefixes and not start:
            answer["prefixes"] = sorted(prefixes)
        if len(items) > start + most:
            answer["nextPageToken"] = str(start + most)
        return web.json_response(answer)

    async def _get(self, request: web.Request) -> web.Response:
        if request.query.get("alt") == "media":
            return await self._download(request)
        key = self._key(request)
        return web.json_response(self._meta[key]) if key in self._meta else self._missing()

    async def _download(self, request: web.Request) -> web.Response:
        key = self._key(request)
        if key not in self.objects:
            return self._missing()
        data = self.objects[key]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if wanted:
            first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
            return web.Response(body=data[first : last + 1], status=206)
        return web.Response(body=data)

    async def _delete(self, request: web.Request) -> web.Response:
        key = self._key(request)
        if key not in self.objects:
            return self._missing()
        del self.objects[key], self._meta[key]
        return web.Response(status=204)

    async def _upload(self, request: web.Request) -> web.Response:
        bucket, body = request.match_info["bucket"], await request.read()
        boundary = re.search(r'boundary="?([^";]+)', request.headers["Content-Type"])
        assert boundary
        assert request.query["uploadType"] == "multipart"
        parts = body.split(b"--" + boundary[1].encode())
        told = json.loads(parts[1].partition(b"\n\n")[2])
        data = parts[2].partition(b"\n\n")[2].removesuffix(b"\n")
        key = (bucket, told["name"])
        if request.query.get("ifGenerationMatch") == "0" and key in self.objects:
            return self.error(412)
        self.put(*key, data)
        return web.json_response(self._meta[key])

    def _key(self, request: web.Request) -> tuple[str, str]:
        return request.match_info["bucket"], unquote(request.match_info["name"])

    def _missing(self) -> web.Response:
        return web.json_response({"error": {"code": 404, "message": "no such object"}}, status=404)
