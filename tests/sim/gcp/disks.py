"""Disks, images and snapshots of Compute Engine."""
from tests.sim.gcp import catalog, compute, quotas
from tests.sim.gcp.catalog import LINK
from tests.sim.gcp.compute import filled, removed
from tests.sim.gcp.errors import GoogleError, invalid_field, not_found
from tests.sim.gcp.state import STATE, Thing, own

SOURCES = {"sourceDisk": "disks", "sourceImage": "images", "sourceSnapshot": "snapshots"}


def image_of(request, text, field):
    """The body of the image, or of the newest in the family, that a URL names."""
    path = compute.absolute(request, text)
    if path is None:
        raise invalid_field(field, text, "The URL is malformed.")
    parts = path.split("/")
    if parts[4:5] == ["family"]:
        found = newest(parts[1], parts[5])
    else:
        found = compute.find(path)
    if found is None:
        raise not_found(path)
    return found


def newest(project, family):
    own_images = [t.body for t in STATE.of("compute", "images", f"projects/{project}/") if t.body.get("family") == family and
                  t.body.get("deprecated", {}).get("state") not in ("DEPRECATED", "OBSOLETE", "DELETED")]
    return own_images[-1] if own_images else catalog.in_family(project, family)


def sizes(request, body, where):
    """Completes size and type of a disk that is being made. where: "projects/p/zones/z"."""
    source, least = None, 0
    for key in ("sourceImage", "sourceSnapshot", "sourceDisk"):
        if not body.get(key):
            continue
        source = image_of(request, body[key], f"resource.{key}") if key == "sourceImage" else compute.find(
            compute.linked(request, f"resource.{key}", body[key], SOURCES[key]))
        body[key], body[f"{key}Id"] = source["selfLink"], source["id"]
        least = int(source.get("diskSizeGb") or source.get("sizeGb") or 0)
        for copied in ("guestOsFeatures", "licenses", "architecture"):
            if copied in source:
                body.setdefault(copied, source[copied])
    kind = body.setdefault("type", f"{LINK}{where}/diskTypes/pd-standard")
    path = compute.absolute(request, kind)
    if path is None or compute.find(path) is None or not path.startswith(where):
        raise invalid_field("resource.type", kind, "The referenced disk type does not exist." if path else "The URL is malformed.")
    body["type"] = LINK + path
    size = int(body.get("sizeGb") or least or 500)
    name = path.rsplit("/", 1)[1]
    if size < least:
        raise invalid_field("resource.sizeGb", size, f"Requested disk size cannot be smaller than the image size ({least} GB)")
    if not catalog.DISK_TYPES[name] <= size <= 65536:
        raise invalid_field("resource.sizeGb", size, f"Disk size of {name} must be between {catalog.DISK_TYPES[name]} and 65536 GB.")
    body["sizeGb"] = str(size)
    body.setdefault("physicalBlockSizeBytes", "4096")
    if name.startswith("hyperdisk-balanced"):
        body.setdefault("provisionedIops", "3600")
        body.setdefault("provisionedThroughput", "290")
        performance(body, "resource.")
    elif "provisionedIops" in body and name != "pd-extreme" and not name.startswith("hyperdisk"):
        raise invalid_field("resource.provisionedIops", body["provisionedIops"], f"Cannot be set for {name}.")


def performance(body, field):
    """What may be provisioned: "About Hyperdisk Balanced", size and performance limits."""
    for name, least, most in (("provisionedIops", 3000, 160000), ("provisionedThroughput", 140, 2400)):
        if not least <= int(body[name]) <= most:
            raise invalid_field(field + name, body[name], f"Must be between {least} and {most}.")


@filled("disks", "regionDisks")
def disk(request, thing):
    body = thing.body
    if hasattr(thing, "old"):
        return
    if request.params.get("sourceImage"):
        body["sourceImage"] = request.params["sourceImage"]
    sizes(request, body, "/".join(thing.name.split("/")[:4]))
    body["status"] = "CREATING"
    thing.data["settle"] = lambda: body.update(status="READY")


def fresh(request, project, zone, name, params):
    """A disk that an instance makes with itself; not yet in the world."""
    path = f"projects/{project}/zones/{zone}/disks/{name}"
    if STATE.thing("compute", path):
        raise GoogleError(409, f"The resource '{path}' already exists", "alreadyExists")
    body = {"kind": "compute#disk", "id": compute.new_id(), "creationTimestamp": compute.stamp(), "name": name, "selfLink": LINK + path,
            "zone": f"{LINK}projects/{project}/zones/{zone}", "status": "CREATING", "labelFingerprint": compute.fingerprint(params.get("labels"))}
    for old, new in (("diskSizeGb", "sizeGb"), ("diskType", "type"), ("sourceImage", "sourceImage"), ("sourceSnapshot", "sourceSnapshot"),
                     ("labels", "labels"), ("description", "description"), ("provisionedIops", "provisionedIops"),
                     ("provisionedThroughput", "provisionedThroughput"), ("resourcePolicies", "resourcePolicies"), ("architecture", "architecture")):
        if params.get(old) is not None:
            body[new] = params[old]
    compute.labels_valid(body.get("labels"), "resource.disks[0].initializeParams.labels")
    sizes(request, body, f"projects/{project}/zones/{zone}")
    return Thing("compute", path, "disks", body, project)


@removed("disks")
def disk_goes(thing):
    if thing.body.get("users"):
        raise GoogleError(400, f"The disk resource '{thing.name}' is already being used by '{thing.body['users'][0][len(LINK):]}'",
                          "resourceInUseByAnotherResource")
    thing.body["status"] = "DELETING"


@own("compute.disks.resize", "compute.regionDisks.resize")
def resize(request):
    thing = compute.ready(compute.wanted(request))
    size, old = int((request.body or {}).get("sizeGb") or 0), int(thing.body["sizeGb"])
    if size <= old:
        raise invalid_field("sizeGb", size, f"New disk size '{size}' must be larger than existing size '{old}'.")
    if size > 65536:
        raise invalid_field("sizeGb", size, "Disk size must be at most 65536 GB.")
    grown = {k: size - old for k in quotas.of_disk(thing.body, thing.name.split("/")[3])}

    def effect():
        quotas.check(thing.project, grown)
        thing.body["sizeGb"] = str(size)
        for user in thing.body.get("users", []):
            for attached in STATE.thing("compute", user[len(LINK):]).body["disks"]:
                if attached.get("source") == LINK + thing.name:
                    attached["diskSizeGb"] = str(size)
    return compute.on(request, thing, effect, kind="resizeDisk")


@own("compute.disks.update")
def update_disk(request):
    thing = compute.ready(compute.wanted(request))
    body = request.body or {}
    mask = request.params.get("paths", []) + [m for m in request.params.get("updateMask", "").split(",") if m]
    names = mask or [k for k in body if k != "name"]
    for name in names:
        if name not in ("provisionedIops", "provisionedThroughput", "accessMode", "userLicenses", "sizeGb", "labels"):
            raise invalid_field("updateMask", name, "Cannot be updated.")
    if thing.body["type"].endswith("/hyperdisk-balanced"):
        performance({**thing.body, **{k: body[k] for k in names if k in body}}, "")
    return compute.on(request, thing, lambda: thing.body.update({k: body[k] for k in names if k in body}))


@own("compute.disks.createSnapshot")
def create_snapshot(request):
    source = compute.ready(compute.wanted(request))
    return snapshot_of(request, dict(request.body or {}), source)


@own("compute.snapshots.insert")
def insert_snapshot(request):
    body = dict(request.body or {})
    return snapshot_of(request, body, compute.thing_at(compute.linked(request, "resource.sourceDisk", body.get("sourceDisk", ""), "disks")))


def snapshot_of(request, body, source):
    name = body.get("name", "")
    path = f"projects/{request.project.id}/global/snapshots/{name}"
    if not compute.NAME.fullmatch(name):
        raise invalid_field("resource.name", name, "Must be a match of regex '[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?'")
    if STATE.thing("compute", path):
        raise GoogleError(409, f"The resource '{path}' already exists", "alreadyExists")
    thing = Thing("compute", path, "snapshots", body, request.project.id)
    compute.basics(request, thing, request.method.document.schemas["Snapshot"]["properties"])
    body.update(status="CREATING", sourceDisk=source.body["selfLink"], sourceDiskId=source.body["id"], diskSizeGb=source.body["sizeGb"])
    STATE.add(thing)

    def effect():
        body.update(status="READY", storageBytes="1048576", storageBytesStatus="UP_TO_DATE")
        thing.operation = None
    target = (path, body["id"]) if request.method.collection == "snapshots" else (source.name, source.body["id"])
    thing.operation = operation = compute.operate(request, "createSnapshot", target, effect, lambda: STATE.remove(thing))
    if operation.done:
        thing.operation = None
    return operation


@filled("images")
def image(request, thing):
    body = thing.body
    if hasattr(thing, "old"):
        return
    key = next((k for k in SOURCES if body.get(k)), None)
    if key is None and "rawDisk" not in body:
        raise GoogleError(400, "An image needs a source.", "required")
    if key:
        found = image_of(request, body[key], f"resource.{key}") if key == "sourceImage" else compute.find(
            compute.linked(request, f"resource.{key}", body[key], SOURCES[key]))
        if body.get("sourceDisk") and any(u for u in found.get("users", [])) and not request.params.get("forceCreate"):
            raise GoogleError(400, f"The disk resource '{found['selfLink'][len(LINK):]}' is already being used by '{found['users'][0][len(LINK):]}'",
                              "resourceInUseByAnotherResource")
        body["diskSizeGb"] = found.get("sizeGb") or found.get("diskSizeGb")
    body.update(status="PENDING", sourceType="RAW")
    body.setdefault("architecture", "X86_64")
    thing.data["settle"] = lambda: body.update(status="READY", archiveSizeBytes="1048576")


@own("compute.images.getFromFamily")
def from_family(request):
    project, family = request.project.id, request.path_values["family"]
    found = newest(project, family)
    if found is None:
        raise not_found(f"projects/{project}/global/images/family/{family}")
    return found


@own("compute.images.deprecate")
def deprecate(request):
    thing = compute.ready(compute.wanted(request))
    body = dict(request.body or {})
    return compute.on(request, thing, lambda: thing.body.update(deprecated=body))
