"""The copy of a version that KServe's servers load: below a folder that is named by a number.

TensorFlow Serving reads `<base path>/<number>/saved_model.pb`, and KServe's storage initializer copies all that is
below `storageUri` to the base path. The registry's folder of a version has no such level, and the folder above has all
versions. So `<version>/served/<number>/` is a copy, and `storageUri` names `<version>/served`.
"""

from ...uris import exists, filesystem, is_local, join, write_json
from ..interface import ServedModel, ServiceError
from .settings import KServeSettings

SCHEMES = ("gs://", "s3://", "pvc://")
"""What KServe's storage initializer reads, of what a store can be."""
_FOLDER = "served"


def storage_uri(model: ServedModel, settings: KServeSettings) -> str:
    """Return the `storageUri` of a version, whether it was copied or not.

    Raises:
        ServiceError: If pods can't reach it.
    """
    folder = model.uri.rpartition("/")[0]
    if settings.store_uri:
        # Within the store it is always models/versions/<number>.
        folder = join(settings.store_uri, *folder.rsplit("/", 3)[1:])
    if not folder.startswith(SCHEMES):
        raise ServiceError(
            f"version {model.version} is in '{folder}', which KServe's pods can't read. Use a store at gs:// or s3://, "
            "or, for a store on a volume, set serving.deploy.kserve.store_uri to pvc://<claim>/<folder of the store>."
        )
    return join(folder, _FOLDER)


def copy_model(model: ServedModel) -> None:
    """Copy a version to where KServe reads it, unless that was done; within a bucket the bucket copies."""
    folder = model.uri.rpartition("/")[0]
    # Beside the copy: all that is in it goes to each pod.
    record = join(folder, f"{_FOLDER}.json")
    if exists(record):
        return
    fs, source = filesystem(model.uri)
    _, target = filesystem(join(folder, _FOLDER, str(model.version)))
    for file in fs.find(source):
        copied = target + file[len(source.rstrip("/")) :]
        if is_local(model.uri):
            fs.makedirs(copied.rpartition("/")[0], exist_ok=True)
        fs.cp_file(file, copied)
    write_json(record, {"format": 1, "version": model.version, "digest": model.digest})
