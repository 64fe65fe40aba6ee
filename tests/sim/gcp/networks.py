"""Networks, subnetworks, routers with their NATs, firewall rules, routes and addresses of Compute Engine."""
import ipaddress
import re

from tests.sim.gcp import catalog, compute
from tests.sim.gcp.catalog import LINK
from tests.sim.gcp.compute import filled, removed
from tests.sim.gcp.errors import GoogleError, invalid_field
from tests.sim.gcp.state import STATE, Thing, own

PROTOCOL = re.compile(r"tcp|udp|icmp|esp|ah|ipip|sctp|all|\d{1,3}")
PORTS = re.compile(r"\d{1,5}(-\d{1,5})?")


def address_range(text, field):
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        raise invalid_field(field, text, "Must be a CIDR range with no bits set after the prefix.") from error
    return found


@filled("networks")
def network(request, thing):
    body = thing.body
    if hasattr(thing, "old"):
        return
    if "autoCreateSubnetworks" not in body and "IPv4Range" not in body:
        raise GoogleError(400, "Legacy networks can no longer be created: set autoCreateSubnetworks.", "invalid")
    mtu = int(body.get("mtu", 1460))
    if not 1300 <= mtu <= 8896:
        raise invalid_field("resource.mtu", mtu, "Must be between 1300 and 8896.")
    body["routingConfig"] = {"routingMode": "REGIONAL", "bgpBestPathSelectionMode": "LEGACY", **body.get("routingConfig", {})}
    body.setdefault("networkFirewallPolicyEnforcementOrder", "AFTER_CLASSIC_FIREWALL")
    body["selfLinkWithId"] = f"{LINK}projects/{thing.project}/global/networks/{body['id']}"

    def settle():
        default_route(thing)
        if body.get("autoCreateSubnetworks"):
            automatic(thing)
    thing.data["settle"] = settle


def default_route(thing):
    name = f"default-route-{compute.new_id()[:16]}"
    path = f"projects/{thing.project}/global/routes/{name}"
    STATE.add(Thing("compute", path, "routes", {
        "kind": "compute#route", "id": compute.new_id(), "creationTimestamp": compute.stamp(), "name": name, "network": LINK + thing.name,
        "destRange": "0.0.0.0/0", "priority": 1000, "description": "Default route to the Internet.", "selfLink": LINK + path,
        "nextHopGateway": f"{LINK}projects/{thing.project}/global/gateways/default-internet-gateway"}, thing.project)).data["automatic"] = True


def automatic(thing):
    """Of an auto mode network: one subnetwork per region."""
    for index, region in enumerate(sorted(catalog.REGIONS)):
        path = f"projects/{thing.project}/regions/{region}/subnetworks/{thing.body['name']}"
        body = {"kind": "compute#subnetwork", "id": compute.new_id(), "creationTimestamp": compute.stamp(), "name": thing.body["name"],
                "network": LINK + thing.name, "ipCidrRange": f"10.{128 + index * 2}.0.0/20", "gatewayAddress": f"10.{128 + index * 2}.0.1",
                "region": f"{LINK}projects/{thing.project}/regions/{region}", "selfLink": LINK + path, "privateIpGoogleAccess": False,
                "purpose": "PRIVATE", "stackType": "IPV4_ONLY", "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS"}
        made = STATE.add(Thing("compute", path, "subnetworks", body, thing.project))
        made.data["automatic"] = True
        body["fingerprint"] = compute.fingerprint(body)
        thing.body.setdefault("subnetworks", []).append(LINK + path)


@removed("networks")
def network_goes(thing):
    def gone():
        for other in STATE.of("compute"):
            if other.data.get("automatic") and other.body.get("network") == LINK + thing.name:
                STATE.remove(other)
    thing.data["gone"] = gone


@filled("subnetworks")
def subnetwork(request, thing):
    body = thing.body
    where = compute.linked(request, "resource.network", body.get("network", ""), "networks")
    body["network"] = LINK + where
    parent = compute.thing_at(where)
    if parent.body.get("autoCreateSubnetworks") and not hasattr(thing, "old"):
        raise GoogleError(400, f"Invalid value for field 'resource.network': '{body['network']}'. Cannot create a subnetwork in an auto mode network.", "invalid")
    purpose = body.setdefault("purpose", "PRIVATE")
    if body.get("ipCidrRange") is None and purpose == "PRIVATE":
        raise GoogleError(400, "Required field 'resource.ipCidrRange' not specified", "required")
    taken = [(n, r) for n, r in ranges(parent.name) if n != thing.name]
    own_ranges = [("resource.ipCidrRange", body.get("ipCidrRange"))] + \
        [(f"resource.secondaryIpRanges[{i}].ipCidrRange", s.get("ipCidrRange")) for i, s in enumerate(body.get("secondaryIpRanges", []))]
    for field, text in own_ranges:
        if text is None:
            continue
        block = address_range(text, field)
        if block.prefixlen > 29 or block.prefixlen < 4:
            raise invalid_field(field, text, "The prefix must be between /4 and /29.")
        for name, other in taken:
            if block.overlaps(other):
                raise GoogleError(400, f"Invalid IPCidrRange: {text} conflicts with existing subnetwork '{name.rsplit('/', 1)[1]}' in region "
                                       f"'{name.split('/')[3]}'.", "invalid")
        taken.append((thing.name, block))
    secondary_ranges(thing)
    if hasattr(thing, "old"):
        for fixed in ("ipCidrRange", "network"):
            if body.get(fixed) != thing.old.get(fixed):
                raise invalid_field(f"resource.{fixed}", body.get(fixed), "Cannot be changed by this method.")
        return
    body["gatewayAddress"] = str(next(address_range(body["ipCidrRange"], "resource.ipCidrRange").hosts()))
    for name, value in (("privateIpGoogleAccess", False), ("stackType", "IPV4_ONLY"), ("privateIpv6GoogleAccess", "DISABLE_GOOGLE_ACCESS")):
        body.setdefault(name, value)
    if "logConfig" in body or "enableFlowLogs" in body:
        config = body.setdefault("logConfig", {})
        config["enable"] = config.get("enable", body.get("enableFlowLogs", False))
        body["enableFlowLogs"] = config["enable"]

    def settle():
        parent.body.setdefault("subnetworks", []).append(LINK + thing.name)
    thing.data["settle"] = settle


def secondary_ranges(thing):
    """Their names are unique, and those that a cluster uses stay."""
    names = [s.get("rangeName", "") for s in thing.body.get("secondaryIpRanges", [])]
    for index, name in enumerate(names):
        if not compute.NAME.fullmatch(name) or name in names[:index]:
            raise invalid_field(f"resource.secondaryIpRanges[{index}].rangeName", name, "Names of secondary ranges must be valid and unique.")
    for entry in getattr(thing, "old", {}).get("secondaryIpRanges", []):
        user = next((u for used in RANGE_USERS for u in used(thing.name, entry["rangeName"])), None)
        if user and entry not in thing.body.get("secondaryIpRanges", []):
            raise GoogleError(400, f"The secondary range '{entry['rangeName']}' of '{thing.name}' is already being used by '{user}'",
                              "resourceInUseByAnotherResource")


RANGE_USERS = []  # f(subnetwork, range): names of what other services keep there


def ranges(network_path):
    for thing in STATE.of("compute", "subnetworks"):
        if thing.body.get("network") == LINK + network_path:
            for text in [thing.body.get("ipCidrRange")] + [s["ipCidrRange"] for s in thing.body.get("secondaryIpRanges", [])]:
                if text:
                    yield thing.name, ipaddress.ip_network(text)


@removed("subnetworks")
def subnetwork_goes(thing):
    if thing.data.get("automatic"):
        raise GoogleError(400, f"Cannot delete auto subnetwork '{thing.name}'.", "invalidUsage")

    def gone():
        parent = STATE.thing("compute", thing.body["network"][len(LINK):])
        if parent and LINK + thing.name in parent.body.get("subnetworks", []):
            parent.body["subnetworks"].remove(LINK + thing.name)
            if not parent.body["subnetworks"]:
                del parent.body["subnetworks"]
    thing.data["gone"] = gone


@own("compute.subnetworks.expandIpCidrRange")
def expand(request):
    thing = compute.ready(compute.wanted(request))
    text = (request.body or {}).get("ipCidrRange", "")
    block, old = address_range(text, "ipCidrRange"), ipaddress.ip_network(thing.body["ipCidrRange"])
    if not old.subnet_of(block):
        raise invalid_field("ipCidrRange", text, f"Must contain the current range {old}.")
    return compute.on(request, thing, lambda: thing.body.update(ipCidrRange=text))


@own("compute.subnetworks.setPrivateIpGoogleAccess")
def private_access(request):
    thing = compute.ready(compute.wanted(request))
    value = bool((request.body or {}).get("privateIpGoogleAccess"))
    return compute.on(request, thing, lambda: thing.body.update(privateIpGoogleAccess=value))


@own("compute.networks.switchToCustomMode")
def switch(request):
    thing = compute.ready(compute.wanted(request))

    def effect():
        thing.body["autoCreateSubnetworks"] = False
        for other in STATE.of("compute", "subnetworks"):
            if other.body.get("network") == LINK + thing.name:
                other.data.pop("automatic", None)
    return compute.on(request, thing, effect)


@own("compute.networks.getEffectiveFirewalls")
def effective(request):
    thing = compute.wanted(request)
    return {"firewalls": [f.body for f in STATE.of("compute", "firewalls") if f.body["network"] == LINK + thing.name]}


@filled("firewalls")
def firewall(request, thing):
    body = thing.body
    body.setdefault("network", f"{LINK}projects/{thing.project}/global/networks/default")
    body["network"] = LINK + compute.linked(request, "resource.network", body["network"], "networks")
    direction = body.setdefault("direction", "INGRESS")
    if bool(body.get("allowed")) == bool(body.get("denied")):
        raise GoogleError(400, "Exactly one of 'resource.allowed' and 'resource.denied' must be specified.", "invalid")
    for kind in ("allowed", "denied"):
        for index, rule in enumerate(body.get(kind, [])):
            field = f"resource.{kind}[{index}]"
            if not PROTOCOL.fullmatch(rule.get("IPProtocol", "")):
                raise invalid_field(f"{field}.IPProtocol", rule.get("IPProtocol", ""), "Not a protocol.")
            for port in rule.get("ports", []):
                if not PORTS.fullmatch(port) or rule["IPProtocol"] not in ("tcp", "udp", "sctp", "6", "17", "132"):
                    raise invalid_field(f"{field}.ports", port, "Ports must be numbers or ranges, and of TCP, UDP or SCTP.")
    body.setdefault("priority", 1000)
    if not 0 <= body["priority"] <= 65535:
        raise invalid_field("resource.priority", body["priority"], "Must be between 0 and 65535.")
    if direction == "EGRESS" and (body.get("sourceTags") or body.get("sourceServiceAccounts")):
        raise invalid_field("resource.sourceTags", body.get("sourceTags"), "Not allowed for EGRESS rules.")
    if any(body.get(n) for n in ("sourceTags", "targetTags")) and any(body.get(n) for n in ("sourceServiceAccounts", "targetServiceAccounts")):
        raise GoogleError(400, "Tags and service accounts cannot be used in one firewall rule.", "invalid")
    for name in ("sourceRanges", "destinationRanges"):
        for text in body.get(name, []):
            address_range(text, f"resource.{name}")
    if direction == "INGRESS" and not any(body.get(n) for n in ("sourceRanges", "sourceTags", "sourceServiceAccounts")):
        body["sourceRanges"] = ["0.0.0.0/0"]
    if direction == "EGRESS" and not body.get("destinationRanges"):
        body["destinationRanges"] = ["0.0.0.0/0"]
    body.setdefault("disabled", False)
    body["logConfig"] = {"enable": False, **body.get("logConfig", {})}


@filled("routers")
def router(request, thing):
    body = thing.body
    body["network"] = LINK + compute.linked(request, "resource.network", body.get("network", ""), "networks")
    if hasattr(thing, "old") and body["network"] != thing.old["network"]:
        raise invalid_field("resource.network", body["network"], "Cannot be changed.")
    names = [n.get("name") for n in body.get("nats", [])]
    if len(set(names)) != len(names):
        raise invalid_field("resource.nats", names, "Names of NATs must be unique.")
    for index, nat in enumerate(body.get("nats", [])):
        check_nat(request, thing, f"resource.nats[{index}]", nat)
    body.setdefault("encryptedInterconnectRouter", False)


def check_nat(request, thing, field, nat):
    if not nat.get("name") or not compute.NAME.fullmatch(nat["name"]):
        raise invalid_field(f"{field}.name", nat.get("name", ""), "Must be a match of regex '[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?'")
    which = nat.get("sourceSubnetworkIpRangesToNat")
    if which is None and not nat.get("sourceSubnetworkIpRangesToNat64"):
        raise GoogleError(400, f"Required field '{field}.sourceSubnetworkIpRangesToNat' not specified", "required")
    if (which == "LIST_OF_SUBNETWORKS") != bool(nat.get("subnetworks")):
        raise invalid_field(f"{field}.subnetworks", nat.get("subnetworks", []), "Must be given if and only if LIST_OF_SUBNETWORKS is.")
    for entry in nat.get("subnetworks", []):
        path = compute.linked(request, f"{field}.subnetworks.name", entry.get("name"), "subnetworks")
        entry["name"] = LINK + path
        entry.setdefault("sourceIpRangesToNat", ["ALL_IP_RANGES"])
        if STATE.thing("compute", path).body["network"] != thing.body["network"]:
            raise invalid_field(f"{field}.subnetworks.name", entry["name"], "The subnetwork is not in the router's network.")
    option = nat.get("natIpAllocateOption")
    if option is None and nat.get("type") != "PRIVATE":
        nat["natIpAllocateOption"] = option = "MANUAL_ONLY" if nat.get("natIps") else "AUTO_ONLY"
    if (option == "MANUAL_ONLY") != bool(nat.get("natIps")) and nat.get("type") != "PRIVATE":
        raise invalid_field(f"{field}.natIps", nat.get("natIps", []), f"natIpAllocateOption is {option}.")
    for link in nat.get("natIps", []):
        compute.linked(request, f"{field}.natIps", link, "addresses")
    others = [r for r in STATE.of("compute", "routers") if r.name != thing.name and r.body["network"] == thing.body["network"] and
              r.name.split("/")[3] == thing.name.split("/")[3]]
    for other in others:
        if any(n.get("sourceSubnetworkIpRangesToNat", "").startswith("ALL_") or which.startswith("ALL_") for n in other.body.get("nats", [])):
            raise GoogleError(400, f"Invalid value for field '{field}': another router of this network and region, '{other.name}', has a NAT of the "
                                   "same subnetworks.", "invalid")
    nat.setdefault("type", "PUBLIC")
    nat.setdefault("endpointTypes", ["ENDPOINT_TYPE_VM"])
    nat.setdefault("enableEndpointIndependentMapping", False)
    nat.setdefault("enableDynamicPortAllocation", False)
    nat.setdefault("autoNetworkTier", "PREMIUM")


@own("compute.routers.getRouterStatus")
def router_status(request):
    thing = compute.wanted(request)
    status = [{"name": n["name"], "numVmEndpointsWithNatMappings": 0, "minExtraNatIpsNeeded": 0,
               "autoAllocatedNatIps": ["34.120.0.9"] if n.get("natIpAllocateOption") == "AUTO_ONLY" else []} for n in thing.body.get("nats", [])]
    return {"kind": "compute#routerStatusResponse", "result": {"network": thing.body["network"], "natStatus": status}}


@filled("routes")
def made_route(_, thing):
    address_range(thing.body["destRange"], "resource.destRange")
    if not any(k.startswith("nextHop") for k in thing.body):
        raise GoogleError(400, "One next hop must be specified.", "invalid")


@filled("addresses", "globalAddresses")
def address(request, thing):
    body = thing.body
    kind = body.setdefault("addressType", "EXTERNAL")
    body["status"] = "RESERVED"
    if kind == "EXTERNAL":
        body.setdefault("networkTier", "PREMIUM")
        body.setdefault("address", free_external())
        return
    if thing.collection == "addresses":
        body.setdefault("purpose", "GCE_ENDPOINT")
        if "subnetwork" not in body:
            raise GoogleError(400, "Internal addresses need 'resource.subnetwork'.", "invalid")
        where = compute.linked(request, "resource.subnetwork", body["subnetwork"], "subnetworks")
        body["address"] = free_internal(where, body.get("address"), "resource.address")


def taken_addresses():
    for thing in STATE.of("compute"):
        if thing.collection in ("addresses", "globalAddresses"):
            yield thing.body.get("address"), thing
        for nic in thing.body.get("networkInterfaces", []) if thing.collection == "instances" else []:
            yield nic.get("networkIP"), thing
            for access in nic.get("accessConfigs", []):
                yield access.get("natIP"), thing


def free_external():
    taken = {a for a, _ in taken_addresses()}
    return next(a for a in (f"34.{120 + n // 250}.7.{n % 250 + 1}" for n in range(20000)) if a not in taken)


def free_internal(subnetwork_path, asked, field, holder=None):
    """An address of the subnetwork; `asked`: one that the caller wants."""
    thing = compute.thing_at(subnetwork_path)
    block = ipaddress.ip_network(thing.body["ipCidrRange"])
    used = {a for a, t in taken_addresses() if t.body.get("subnetwork") == LINK + subnetwork_path or
            any(n.get("subnetwork") == LINK + subnetwork_path for n in t.body.get("networkInterfaces", []))}
    reserved = {str(block[0]), str(block[1]), str(block[-2]), str(block[-1])}
    if asked:
        if ipaddress.ip_address(asked) not in block or asked in reserved:
            raise invalid_field(field, asked, f"Must be a usable address of {block}.")
        if asked in used and holder is None:
            raise GoogleError(400, f"The IP address '{asked}' is already in use.", "ipInUseByAnotherResource")
        return asked
    for host in block.hosts():
        if str(host) not in used and str(host) not in reserved:
            return str(host)
    raise GoogleError(400, f"IP space of '{subnetwork_path}' is exhausted.", "ipSpaceExhausted")


def mark_address(ip, user, use):
    """Reserved addresses know who uses them."""
    for thing in STATE.of("compute", "addresses"):
        if thing.body.get("address") == ip:
            users = [u for u in thing.body.get("users", []) if u != LINK + user] + ([LINK + user] if use else [])
            thing.body["status"] = "IN_USE" if users else "RESERVED"
            thing.body.pop("users", None)
            if users:
                thing.body["users"] = users


@removed("addresses")
def address_goes(thing):
    users = thing.body.get("users")
    if users:
        raise GoogleError(400, f"The address resource '{thing.name}' is already being used by '{users[0][len(LINK):]}'", "resourceInUseByAnotherResource")
