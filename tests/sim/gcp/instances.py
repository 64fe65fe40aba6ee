"""Instances of Compute Engine: what they need, how they start and stop, and every change that their methods make."""
import re

from tests.sim.gcp import catalog, compute, disks, networks, quotas
from tests.sim.gcp.catalog import LINK
from tests.sim.gcp.compute import filled
from tests.sim.gcp.errors import GoogleError, OperationError, invalid_field, not_found
from tests.sim.gcp.state import STATE, own

TAG = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
KEY = re.compile(r"[a-zA-Z0-9_-]{1,128}")
METADATA_VALUE, METADATA_ALL = 256 << 10, 512 << 10
STOPPED = ("TERMINATED", "STOPPED")


def zone_of(thing):
    return thing.name.split("/")[3]


def incompatible(*names):
    return GoogleError(400, f"[{', '.join(names)}] features are not compatible for creating instance.", "badRequest")


# --- what an instance needs ---


def machine(request, body, zone, project, field="resource.machineType"):
    text = body.get("machineType", "")
    path = compute.absolute(request, text)
    if path is None or "/machineTypes/" not in path:
        raise invalid_field(field, text, "The URL is malformed.")
    name = path.rsplit("/", 1)[1]
    if path.split("/")[3] != zone or compute.find(path) is None:
        raise invalid_field(field, text, f"Machine type with name '{name}' does not exist in zone '{zone}'.")
    body["machineType"] = f"{LINK}projects/{project}/zones/{zone}/machineTypes/{name}"
    return name


def accelerators(request, body, zone, project, kind):
    """Checks those that are asked for, and adds those that the machine type has."""
    _, _, built_in, cards = catalog.MACHINES.get(kind, (0, 0, None, 0))
    given = body.get("guestAccelerators") or []
    for index, entry in enumerate(given):
        path = compute.absolute(request, entry.get("acceleratorType", ""))
        field = f"resource.guestAccelerators[{index}]"
        if path is None:
            raise invalid_field(f"{field}.acceleratorType", entry.get("acceleratorType", ""), "The URL is malformed.")
        if compute.find(path) is None or path.split("/")[3] != zone:
            raise not_found(f"projects/{project}/zones/{zone}/acceleratorTypes/{path.rsplit('/', 1)[1]}")
        entry["acceleratorType"] = f"{LINK}projects/{project}/zones/{zone}/acceleratorTypes/{path.rsplit('/', 1)[1]}"
        name, count = path.rsplit("/", 1)[1], int(entry.get("acceleratorCount", 0))
        if built_in:
            if (name, count) != (built_in, cards):
                raise incompatible(f"instance type '{kind}'", f"{count} x {name}")
            continue
        if name not in catalog.ATTACHED or not kind.startswith(("n1-", "custom-")):
            raise incompatible(kind, name)
        if count not in catalog.ATTACHED[name]:
            raise invalid_field(f"{field}.acceleratorCount", count, f"Number of accelerators must be one of {sorted(catalog.ATTACHED[name])}.")
        if catalog.MACHINES.get(kind, (1,))[0] > catalog.ATTACHED[name][count]:
            raise incompatible(kind, f"{count} x {name}")
    if built_in:
        body["guestAccelerators"] = [{"acceleratorType": f"{LINK}projects/{project}/zones/{zone}/acceleratorTypes/{built_in}", "acceleratorCount": cards}]
    elif not given:
        body.pop("guestAccelerators", None)


def scheduling(body):
    given = body.get("scheduling", {})
    spot = given.get("provisioningModel") == "SPOT" or given.get("preemptible", False)
    if given.get("provisioningModel") == "STANDARD" and given.get("preemptible"):
        raise invalid_field("resource.scheduling", "STANDARD", "Preemptible instances have provisioning model SPOT.")
    if spot and (given.get("automaticRestart") or given.get("onHostMaintenance") == "MIGRATE"):
        raise invalid_field("resource.scheduling", "{ \"preemptible\": true }",
                            "Scheduling must have automaticRestart false and onHostMaintenance TERMINATE for preemptible instances.")
    if given.get("instanceTerminationAction") and not spot and "maxRunDuration" not in given and "terminationTime" not in given:
        raise GoogleError(400, "You cannot specify a termination action for a VM instance that has the standard provisioning model (default). To use "
                               "instance termination action, the VM instance must use the spot provisioning model or have a limited run time.", "badRequest")
    result = {"automaticRestart": not spot, "onHostMaintenance": "TERMINATE" if spot else "MIGRATE", "preemptible": spot,
              "provisioningModel": "SPOT" if spot else "STANDARD", **given}
    result.update(preemptible=spot)
    if spot:
        result.setdefault("instanceTerminationAction", "STOP")
    if body.get("guestAccelerators") and result["onHostMaintenance"] != "TERMINATE":
        raise GoogleError(400, "Instances with guest accelerators do not support live migration.", "badRequest")
    body["scheduling"] = result


def metadata(body, field="resource.metadata"):
    entries = body.get("items") or []
    keys = [e.get("key", "") for e in entries]
    for key in keys:
        if not KEY.fullmatch(key):
            raise invalid_field(f"{field}.items.key", key, "Must be a match of regex '[a-zA-Z0-9_-]{1,128}'")
        if keys.count(key) > 1:
            raise invalid_field(f"{field}.items", key, f"Duplicate metadata key: '{key}'.")
    for entry in entries:
        if len(entry.get("value", "").encode()) > METADATA_VALUE:
            raise invalid_field(f"{field}.items", entry["key"], "Metadata values have at most 262144 bytes.")
    if sum(len(e.get("value", "").encode()) + len(e["key"]) for e in entries) > METADATA_ALL:
        raise invalid_field(field, "", "All metadata together has at most 512 KB.")
    result = {"kind": "compute#metadata", "fingerprint": compute.fingerprint(sorted((e["key"], e.get("value", "")) for e in entries))}
    if entries:
        result["items"] = [{"key": e["key"], "value": e.get("value", "")} for e in entries]
    return result


def tags(body, field="resource.tags"):
    entries = body.get("items") or []
    for tag in entries:
        if not TAG.fullmatch(tag):
            raise invalid_field(f"{field}.items", tag, "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'")
    result = {"fingerprint": compute.fingerprint(sorted(entries))}
    if entries:
        result["items"] = list(entries)
    return result


def interfaces(request, thing, zone):
    given = thing.body.get("networkInterfaces") or []
    if not given:
        raise invalid_field("resource.networkInterfaces", "", "At least one network interface is required.")
    for index, nic in enumerate(given):
        field = f"resource.networkInterfaces[{index}]"
        network = compute.linked(request, f"{field}.network", nic["network"], "networks") if nic.get("network") else None
        if not nic.get("subnetwork"):
            nic["subnetwork"] = LINK + automatic_subnetwork(request, network, zone, field)
        path = compute.linked(request, f"{field}.subnetwork", nic["subnetwork"], "subnetworks")
        subnetwork = compute.thing_at(path)
        if path.split("/")[3] != catalog.region_of(zone):
            raise invalid_field(f"{field}.subnetwork", nic["subnetwork"], f"The subnetwork is not in the region of zone '{zone}'.")
        if network and subnetwork.body["network"] != LINK + network:
            raise invalid_field(f"{field}.subnetwork", nic["subnetwork"], "The subnetwork is not in the network.")
        nic.update(kind="compute#networkInterface", name=f"nic{index}", network=subnetwork.body["network"], subnetwork=LINK + path)
        asked, holder = nic.get("networkIP"), None
        if asked and not re.fullmatch(r"[\d.]+", asked):
            asked = compute.thing_at(compute.linked(request, f"{field}.networkIP", asked, "addresses")).body["address"]
        if asked:
            holder = next((a for a in STATE.of("compute", "addresses") if a.body.get("address") == asked and a.body["status"] == "RESERVED"), None)
        nic["networkIP"] = networks.free_internal(path, asked, f"{field}.networkIP", holder)
        nic.setdefault("stackType", "IPV4_ONLY")
        for access in nic.get("accessConfigs", []):
            access_config(access)
        nic["fingerprint"] = compute.fingerprint(nic)


def access_config(access):
    access.update({"kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "name": "external-nat", "networkTier": "PREMIUM", **access})
    access["natIP"] = access.get("natIP") or networks.free_external()


def automatic_subnetwork(request, network, zone, field):
    network = network or f"projects/{request.project.id}/global/networks/default"
    if STATE.thing("compute", network) is None:
        raise not_found(network)
    region = catalog.region_of(zone)
    found = next((s for s in STATE.of("compute", "subnetworks") if s.body["network"] == LINK + network and s.name.split("/")[3] == region), None)
    if found is None or not compute.thing_at(network).body.get("autoCreateSubnetworks"):
        raise invalid_field(field, network, "Network interface must specify a subnet if the network resource is in custom subnet mode.")
    return found.name


def attachments(request, thing, zone, kind):
    """The instance's disks: existing ones, and new ones, which come back as a list."""
    given, fresh = thing.body.get("disks") or [], []
    if not given:
        raise invalid_field("resource.disks", "", "No disks are specified.")
    if sum(bool(d.get("boot")) for d in given) > 1:
        raise invalid_field("resource.disks", "", "Only one boot disk is allowed.")
    if not given[0].get("boot"):
        given[0]["boot"] = True
    for index, entry in enumerate(given):
        fresh += attachment(request, thing, zone, kind, entry, index)
    return fresh


def attachment(request, thing, zone, kind, entry, index):
    field, made = f"resource.disks[{index}]", []
    scratch = entry.get("type") == "SCRATCH"
    params = entry.pop("initializeParams", None)
    if bool(params) == bool(entry.get("source")) and not scratch:
        raise invalid_field(field, "", "Exactly one of 'source' and 'initializeParams' must be specified.")
    if params is not None:
        name = params.get("diskName") or (thing.body["name"] if entry.get("boot") else f"{thing.body['name']}-{index}")
        disk = disks.fresh(request, thing.project, zone, name, params)
        if not scratch:
            entry["source"] = LINK + disk.name
            made.append(disk)
    else:
        path = compute.linked(request, f"{field}.source", entry["source"], "disks")
        disk = compute.thing_at(path)
        if path.split("/")[3] != zone:
            raise invalid_field(f"{field}.source", entry["source"], "Disk must be in the same zone as the instance.")
        if disk.body.get("users") and (entry.get("mode") != "READ_ONLY" or LINK + thing.name in disk.body["users"]):
            raise GoogleError(400, f"The disk resource '{path}' is already being used by '{disk.body['users'][0][len(LINK):]}'", "resourceInUseByAnotherResource")
        entry["source"] = LINK + path
    disk_kind = disk.body["type"].rsplit("/", 1)[1]
    series = kind.split("-")[0]
    allowed = catalog.SERIES_DISKS.get("-".join(kind.split("-")[:2])) or catalog.SERIES_DISKS.get(series)
    if allowed is not None and disk_kind not in allowed:
        raise incompatible(disk_kind, kind)
    entry.update({"kind": "compute#attachedDisk", "type": "PERSISTENT", "mode": "READ_WRITE", "autoDelete": False, "boot": False,
                  "interface": "NVME" if series in ("a3", "a4", "g4", "c3") else "SCSI", **entry})
    entry.setdefault("deviceName", f"persistent-disk-{index}")
    entry.update(index=index, diskSizeGb=disk.body["sizeGb"])
    for copied in ("licenses", "guestOsFeatures", "architecture"):
        if entry["boot"] and copied in disk.body:
            entry[copied] = disk.body[copied]
    return made


def account_exists(email):
    thing = next((t for t in STATE.of("iam", "serviceAccounts") if t.body["email"] == email), None)
    if thing is None or STATE.is_young(thing.name):
        raise OperationError("EXTERNAL_RESOURCE_NOT_FOUND", f"The resource '{email}' of type 'serviceAccount' was not found.", 404)


def service_accounts(thing):
    given = thing.body.get("serviceAccounts") or []
    if len(given) > 1:
        raise invalid_field("resource.serviceAccounts", "", "At most one service account is supported.")
    for entry in given:
        if entry.get("email") == "default":
            entry["email"] = f"{STATE.project(thing.project).number}-compute@developer.gserviceaccount.com"
        entry.setdefault("scopes", [])
    if not given:
        thing.body.pop("serviceAccounts", None)


@filled("instances")
def instance(request, thing):
    if request.params.get("sourceInstanceTemplate") or request.params.get("sourceMachineImage"):
        raise GoogleError(501, "compute.instances.insert from a template or machine image is not simulated", "notImplemented")
    body, zone = thing.body, zone_of(thing)
    if hasattr(thing, "old"):
        return
    kind = machine(request, body, zone, thing.project)
    accelerators(request, body, zone, thing.project, kind)
    scheduling(body)
    body["metadata"], body["tags"] = metadata(body.get("metadata", {})), tags(body.get("tags", {}))
    service_accounts(thing)
    interfaces(request, thing, zone)
    fresh = attachments(request, thing, zone, kind)
    body["shieldedInstanceConfig"] = {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True, **body.get("shieldedInstanceConfig", {})}
    body["shieldedInstanceIntegrityPolicy"] = {"updateAutoLearnPolicy": True}
    body.update(status="PROVISIONING", cpuPlatform="Unknown CPU Platform", startRestricted=False)
    body.setdefault("canIpForward", False)
    body.setdefault("deletionProtection", False)
    for disk in fresh:
        STATE.add(disk)
    thing.data["fresh"] = fresh
    attach_all(thing)
    thing.data["undo"] = lambda: undone(thing)
    thing.data["settle"] = lambda: begin(request, thing, fresh)


def attach_all(thing):
    for entry in thing.body["disks"]:
        users(entry.get("source"), thing, True)
    for nic in thing.body["networkInterfaces"]:
        for ip in [nic["networkIP"], *(a["natIP"] for a in nic.get("accessConfigs", []))]:
            networks.mark_address(ip, thing.name, True)


def users(source, thing, use):
    disk = STATE.thing("compute", (source or "")[len(LINK):])
    if disk:
        others = [u for u in disk.body.get("users", []) if u != LINK + thing.name]
        disk.body["users"] = others + [LINK + thing.name] if use else others
        disk.body["lastAttachTimestamp" if use else "lastDetachTimestamp"] = compute.stamp()
        if not disk.body["users"]:
            del disk.body["users"]


def undone(thing):
    for entry in thing.body["disks"]:
        users(entry.get("source"), thing, False)
    for disk in thing.data.get("fresh", []):
        STATE.remove(disk)
    for nic in thing.body["networkInterfaces"]:
        for ip in [nic["networkIP"], *(a["natIP"] for a in nic.get("accessConfigs", []))]:
            networks.mark_address(ip, thing.name, False)


def begin(request, thing, fresh=()):
    """The end of an insert or start: quota of what is new, capacity, then it runs."""
    for disk in fresh:
        compute.over(disk)
    for entry in thing.body.get("serviceAccounts", []):
        account_exists(entry["email"])
    take_capacity(request, thing)
    for disk in fresh:
        disk.body["status"] = "READY"
    thing.body.update(status="RUNNING", lastStartTimestamp=compute.stamp(), cpuPlatform="Intel Skylake")


# --- capacity ---


def kinds(body):
    """What stock an instance takes: {machine type or accelerator: amount}."""
    taken = {body["machineType"].rsplit("/", 1)[1]: 1}
    for gpu in body.get("guestAccelerators", []):
        taken[gpu["acceleratorType"].rsplit("/", 1)[1]] = gpu["acceleratorCount"]
    return taken


def lacking(body, zone):
    """What a zone has too little of, or None. Stock may be told apart for spot: "spot:nvidia-l4"."""
    stock = STATE.stock.get(zone, {})
    for name, amount in kinds(body).items():
        for key in ([f"spot:{name}"] if quotas.is_spot(body) else []) + [name]:
            if key in stock:
                if stock[key] < amount:
                    return name
                break
    return None


def take_capacity(request, thing):
    zone, body = zone_of(thing), thing.body
    if lacking(body, zone):
        raise stockout(thing.project, zone, body)
    stock = STATE.stock.get(zone, {})
    for name, amount in kinds(body).items():
        key = f"spot:{name}" if quotas.is_spot(body) and f"spot:{name}" in stock else name
        if key in stock:
            stock[key] -= amount


def stockout(project, zone, body):
    kind = body["machineType"].rsplit("/", 1)[1]
    gpus = ",".join(f"{g['acceleratorType'].rsplit('/', 1)[1]}:{g['acceleratorCount']}" for g in body.get("guestAccelerators", []))
    others = [z for z in catalog.zones(catalog.region_of(zone)) if z != zone and not lacking(body, z) and all(
        catalog.offered(n, z) for n in kinds(body) if n in catalog.MACHINES or n in catalog.GPUS)]
    text = f"The zone 'projects/{project}/zones/{zone}' does not have enough resources available to fulfill the request."
    if not STATE.settings["stockout_details"]:
        return OperationError("ZONE_RESOURCE_POOL_EXHAUSTED", text + "  Try a different zone, or try again later.", 503)
    metadatas = {"vmType": kind, "attachment": gpus, "zone": zone, "zonesAvailable": ",".join(others)}
    local = f"A {kind} VM instance{' with ' + gpus if gpus else ''} is currently unavailable in the {zone} zone."
    details = [{"help": {"links": [{"description": "Troubleshooting documentation", "url": "https://cloud.google.com/compute/docs/resource-error"}]}},
               {"localizedMessage": {"locale": "en-US", "message": local}},
               {"errorInfo": {"reason": "resource_availability", "domain": "compute.googleapis.com", "metadatas": metadatas}}]
    return OperationError("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", text + "  '(resource type:compute)'.", 503, details)


# --- life ---


def usable(request):
    return compute.ready(compute.wanted(request))


def stopped(request, what):
    thing = usable(request)
    if thing.body["status"] not in STOPPED:
        raise GoogleError(400, f"Invalid resource usage: 'The instance must be stopped before {what}.'", "invalidResourceUsage")
    return thing


def transition(request, thing, meanwhile, effect, kind=None, before=None):
    """An operation that shows another status until it ends."""
    old = thing.body["status"]
    thing.body["status"] = meanwhile

    def end():
        effect()
        thing.operation = None

    def failed():
        thing.body["status"], thing.operation = before or old, None
    thing.operation = operation = compute.on(request, thing, end, failed, kind)
    if operation.done:
        thing.operation = None
    return operation


@own("compute.instances.start", "compute.instances.resume")
def start(request):
    thing = usable(request)
    if thing.body["status"] == "RUNNING":
        return compute.on(request, thing, lambda: None)
    if request.method.verb == "resume" and thing.body["status"] != "SUSPENDED":
        raise GoogleError(400, "Invalid resource usage: 'Instance is not suspended.'", "invalidResourceUsage")
    wants = quotas.of_machine(thing.body, zone_of(thing))

    def effect():
        quotas.check(thing.project, wants, wants)
        begin(request, thing)
    return transition(request, thing, "STAGING", effect)


@own("compute.instances.stop")
def stop(request):
    thing = usable(request)
    if thing.body["status"] in STOPPED:
        return compute.on(request, thing, lambda: None)
    return transition(request, thing, "STOPPING", lambda: halt(thing))


def halt(thing, status="TERMINATED"):
    if thing.body["status"] not in STOPPED:
        stock = STATE.stock.get(zone_of(thing), {})
        for name, amount in kinds(thing.body).items():
            key = f"spot:{name}" if quotas.is_spot(thing.body) and f"spot:{name}" in stock else name
            if key in stock:
                stock[key] += amount
    thing.body.update(status=status, lastStopTimestamp=compute.stamp())


@own("compute.instances.suspend")
def suspend(request):
    thing = usable(request)
    if thing.body.get("guestAccelerators"):
        raise GoogleError(400, "Instances with guest accelerators cannot be suspended.", "badRequest")
    return transition(request, thing, "SUSPENDING", lambda: halt(thing, "SUSPENDED"))


@own("compute.instances.reset")
def reset(request):
    thing = usable(request)
    return compute.on(request, thing, lambda: thing.body.update(lastStartTimestamp=compute.stamp()))


@own("compute.instances.delete")
def delete(request):
    thing = compute.wanted(request)
    if thing.operation is not None and thing.data.get("deleting"):
        return thing.operation
    usable(request)
    if thing.body.get("deletionProtection"):
        raise GoogleError(412, f"Resource cannot be deleted if it's protected against deletion. Resource: '{thing.name}'", "conditionNotMet")
    thing.data["deleting"] = True

    def effect():
        remove(thing)

    operation = transition(request, thing, "STOPPING", effect, "delete")
    return operation


def remove(thing):
    halt(thing)
    for entry in thing.body["disks"]:
        users(entry.get("source"), thing, False)
        disk = STATE.thing("compute", entry.get("source", "")[len(LINK):])
        if disk and entry.get("autoDelete") and not disk.body.get("users"):
            STATE.remove(disk)
    for nic in thing.body["networkInterfaces"]:
        for ip in [nic["networkIP"], *(a["natIP"] for a in nic.get("accessConfigs", []))]:
            networks.mark_address(ip, thing.name, False)
    STATE.remove(thing)


# --- changes ---


@own("compute.instances.setMachineType")
def set_machine_type(request):
    thing = stopped(request, "its machine type can be changed")
    body = {**thing.body, "machineType": (request.body or {}).get("machineType", "")}
    kind = machine(request, body, zone_of(thing), thing.project, "machineType")
    if catalog.MACHINES.get(thing.body["machineType"].rsplit("/", 1)[1], (0, 0, None, 0))[2]:
        body["guestAccelerators"] = []  # went with the old type
    accelerators(request, body, zone_of(thing), thing.project, kind)

    def effect():
        thing.body["machineType"] = body["machineType"]
        thing.body.pop("guestAccelerators", None)
        if body.get("guestAccelerators"):
            thing.body["guestAccelerators"] = body["guestAccelerators"]
    return compute.on(request, thing, effect)


@own("compute.instances.setMachineResources")
def set_machine_resources(request):
    thing = stopped(request, "its accelerators can be changed")
    body = {**thing.body, "guestAccelerators": [dict(g) for g in (request.body or {}).get("guestAccelerators", [])]}
    accelerators(request, body, zone_of(thing), thing.project, thing.body["machineType"].rsplit("/", 1)[1])

    def effect():
        thing.body.pop("guestAccelerators", None)
        if body.get("guestAccelerators"):
            thing.body["guestAccelerators"] = body["guestAccelerators"]
    return compute.on(request, thing, effect)


@own("compute.instances.setMetadata")
def set_metadata(request):
    thing = usable(request)
    body = request.body or {}
    compute.check_fingerprint(body.get("fingerprint"), thing.body["metadata"]["fingerprint"], "metadata")
    new = metadata(body, "metadata")
    return compute.on(request, thing, lambda: thing.body.update(metadata=new))


@own("compute.instances.setTags")
def set_tags(request):
    thing = usable(request)
    body = request.body or {}
    compute.check_fingerprint(body.get("fingerprint"), thing.body["tags"]["fingerprint"], "tags")
    new = tags(body, "tags")
    return compute.on(request, thing, lambda: thing.body.update(tags=new))


@own("compute.instances.setServiceAccount")
def set_service_account(request):
    thing = stopped(request, "the service account can be changed")
    body = request.body or {}

    def effect():
        if body.get("email"):
            account_exists(body["email"])
            thing.body["serviceAccounts"] = [{"email": body["email"], "scopes": body.get("scopes", [])}]
        else:
            thing.body.pop("serviceAccounts", None)
    return compute.on(request, thing, effect)


@own("compute.instances.setScheduling")
def set_scheduling(request):
    thing = usable(request)
    body = {"scheduling": {**thing.body["scheduling"], **(request.body or {})}, "guestAccelerators": thing.body.get("guestAccelerators")}
    if request.body.get("preemptible", thing.body["scheduling"]["preemptible"]) != thing.body["scheduling"]["preemptible"] or \
            request.body.get("provisioningModel", thing.body["scheduling"]["provisioningModel"]) != thing.body["scheduling"]["provisioningModel"]:
        raise GoogleError(400, "Invalid resource usage: 'The provisioning model of an instance cannot be changed.'", "invalidResourceUsage")
    scheduling(body)
    return compute.on(request, thing, lambda: thing.body.update(scheduling=body["scheduling"]))


@own("compute.instances.setDeletionProtection")
def set_deletion_protection(request):
    thing, value = usable(request), request.params.get("deletionProtection", True)
    return compute.on(request, thing, lambda: thing.body.update(deletionProtection=value))


@own("compute.instances.setMinCpuPlatform")
def set_min_cpu_platform(request):
    thing = stopped(request, "its CPU platform can be changed")
    return compute.on(request, thing, lambda: thing.body.update(minCpuPlatform=(request.body or {}).get("minCpuPlatform", "")))


@own("compute.instances.updateShieldedInstanceConfig")
def update_shielded(request):
    thing = stopped(request, "its Shielded VM settings can be changed")
    return compute.on(request, thing, lambda: thing.body["shieldedInstanceConfig"].update(request.body or {}))


@own("compute.instances.updateDisplayDevice")
def update_display(request):
    thing = stopped(request, "its display device can be changed")
    return compute.on(request, thing, lambda: thing.body.update(displayDevice=request.body or {}))


@own("compute.instances.attachDisk")
def attach_disk(request):
    thing = usable(request)
    entry = compute.full_links(request, dict(request.body or {}))
    index = max((d["index"] for d in thing.body["disks"]), default=-1) + 1
    fresh = attachment(request, thing, zone_of(thing), thing.body["machineType"].rsplit("/", 1)[1], entry, index)
    if any(d["deviceName"] == entry["deviceName"] for d in thing.body["disks"]):
        raise GoogleError(400, f"Invalid value for field 'resource.deviceName': '{entry['deviceName']}'. Already in use.", "invalid")

    def effect():
        for disk in fresh:
            STATE.add(disk).body["status"] = "READY"
        thing.body["disks"].append(entry)
        users(entry["source"], thing, True)
    return compute.on(request, thing, effect)


def device(request, thing):
    name = request.params["deviceName"]
    found = next((d for d in thing.body["disks"] if d["deviceName"] == name), None)
    if found is None:
        raise GoogleError(400, f"Invalid value for field 'disk': '{name}'. No attached disk found with device name '{name}'", "invalid")
    return found


@own("compute.instances.detachDisk")
def detach_disk(request):
    thing = usable(request)
    entry = device(request, thing)
    if entry["boot"] and thing.body["status"] not in STOPPED:
        raise GoogleError(400, "Invalid resource usage: 'The boot disk of a running instance cannot be detached.'", "invalidResourceUsage")

    def effect():
        if entry in thing.body["disks"]:
            thing.body["disks"].remove(entry)
            users(entry.get("source"), thing, False)
    return compute.on(request, thing, effect)


@own("compute.instances.setDiskAutoDelete")
def set_disk_auto_delete(request):
    thing = usable(request)
    entry, value = device(request, thing), request.params["autoDelete"]
    return compute.on(request, thing, lambda: entry.update(autoDelete=value))


def nic_of(request, thing):
    name = request.params["networkInterface"]
    found = next((n for n in thing.body["networkInterfaces"] if n["name"] == name), None)
    if found is None:
        raise invalid_field("networkInterface", name, "The instance has no such interface.")
    return found


@own("compute.instances.addAccessConfig")
def add_access_config(request):
    thing = usable(request)
    nic, access = nic_of(request, thing), dict(request.body or {})
    if nic.get("accessConfigs"):
        raise GoogleError(400, "At most one access config currently supported.", "invalid")

    def effect():
        access_config(access)
        nic["accessConfigs"] = [access]
        networks.mark_address(access["natIP"], thing.name, True)
    return compute.on(request, thing, effect)


@own("compute.instances.deleteAccessConfig")
def delete_access_config(request):
    thing = usable(request)
    nic = nic_of(request, thing)
    found = next((a for a in nic.get("accessConfigs", []) if a["name"] == request.params["accessConfig"]), None)
    if found is None:
        raise invalid_field("accessConfig", request.params["accessConfig"], "The interface has no such access config.")

    def effect():
        networks.mark_address(found["natIP"], thing.name, False)
        nic["accessConfigs"].remove(found)
        if not nic["accessConfigs"]:
            del nic["accessConfigs"]
    return compute.on(request, thing, effect)


@own("compute.instances.update")
def update(request):
    raise GoogleError(501, "compute.instances.update is not simulated; the set… methods are", "notImplemented")


# --- what the guest says ---


@own("compute.instances.getGuestAttributes")
def guest_attributes(request):
    thing = compute.wanted(request)
    link = f"{LINK}{thing.name}/guestAttributes/"
    project_wide = STATE.project(thing.project).metadata
    enabled = [e["value"] for e in [*project_wide, *thing.body["metadata"].get("items", [])] if e["key"] == "enable-guest-attributes"]
    if not enabled or enabled[-1].lower() not in ("true", "1", "y", "yes"):
        raise GoogleError(403, "Guest attributes endpoint access is disabled.", "forbidden")
    known = {**STATE.guest.get("*", {}), **STATE.guest.get(thing.body["name"], {})} if thing.body["status"] == "RUNNING" else {}
    key, path = request.params.get("variableKey"), request.params.get("queryPath", "")
    if key is not None:
        if key not in known:
            raise GoogleError(404, f"The resource '{key}' of type 'Guest Attribute' was not found.", "notFound")
        return {"kind": "compute#guestAttributes", "selfLink": link + key, "variableKey": key, "variableValue": known[key]}
    found = {k: v for k, v in known.items() if f"{k}/".startswith(path.rstrip("/") + "/") or not path}
    if not found:
        raise GoogleError(404, f"The resource '{path}' of type 'Guest Attribute' was not found.", "notFound")
    items = [{"namespace": k.partition("/")[0], "key": k.partition("/")[2], "value": v} for k, v in found.items()]
    return {"kind": "compute#guestAttributes", "selfLink": link + path, "queryPath": path, "queryValue": {"items": items}}


@own("compute.instances.getSerialPortOutput")
def serial(request):
    thing = compute.wanted(request)
    text = STATE.guest.get(thing.body["name"], {}).get("serial", "") or f"{thing.body['name']} login: "
    start = int(request.params.get("start", 0))
    return {"kind": "compute#serialPortOutput", "contents": text[max(start, 0):], "start": str(max(start, 0)), "next": str(len(text)),
            "selfLink": f"{LINK}{thing.name}/serialPort"}


@own("compute.instances.listReferrers")
def referrers(request):
    return {"kind": "compute#instanceListReferrers", "id": compute.wanted(request).name, "selfLink": LINK + compute.wanted(request).name}


def preempt(thing):
    """Google takes a spot instance back."""
    if thing.body["scheduling"].get("instanceTerminationAction") == "DELETE":
        remove(thing)
    else:
        halt(thing)
