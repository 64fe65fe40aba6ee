"""IAM policies: bindings, versions, conditions and etags, as "Policy" and "Read-modify-write pattern" of IAM's documentation say. A policy's
holder is anything with an attribute `policy`."""
import base64
import itertools
import re

from tests.sim.gcp.errors import GoogleError, bad_request
from tests.sim.gcp.state import STATE

ROLE = re.compile(r"roles/[\w.]+|(projects|organizations)/[^/]+/roles/[\w.]+")
MEMBER = re.compile(r"allUsers|allAuthenticatedUsers|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer|principal|principalSet|"
                    r"deleted):.+")
# PROJECT.svc.id.goog[namespace/service account]
POOL = re.compile(r"(([a-z][-a-z0-9.:]*)\.svc\.id\.goog)\[([a-z0-9][-a-z0-9]*)/([a-z0-9][-a-z0-9.]*)\]")
CONFLICT = ("There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. The request's ETag '{}' did not "
            "match the current policy's ETag '{}'.")
_etags = itertools.count(1)


def new_etag():
    return base64.b64encode(b"\x07\x06" + next(_etags).to_bytes(6, "big")).decode()


def current(holder):
    if holder.policy is None:
        holder.policy = {"version": 1, "etag": "ACAB"}
    return holder.policy


def get(holder, version=1):
    policy = current(holder)
    if version not in (0, 1, 2, 3):
        raise GoogleError(400, f"Invalid policy version {version}.")
    result = {"version": policy["version"], "etag": policy["etag"]}
    if "auditConfigs" in policy:
        result["auditConfigs"] = policy["auditConfigs"]
    if policy.get("bindings"):
        result["bindings"] = [dict(b) for b in policy["bindings"]]
        if version < 3:  # conditions are not shown to those who do not ask for them
            result["version"] = 1
            for binding in result["bindings"]:
                if binding.pop("condition", None):
                    binding["role"] += "_withcond_" + "0123456789abcdef0123"
    return result


def set(holder, given, service_accounts=True):  # pylint: disable=redefined-builtin
    policy = current(holder)
    etag = given.get("etag")
    if etag and same(etag) != same(policy["etag"]):
        raise GoogleError(409, CONFLICT.format(etag, policy["etag"]), status="ABORTED")
    bindings = [dict(b) for b in given.get("bindings") or [] if b.get("members")]
    conditional = any(b.get("condition") for b in bindings + policy.get("bindings", []))
    if conditional and given.get("version", 1) < 3:
        raise GoogleError(400, "Policies with conditions must be written with version 3.")
    for index, binding in enumerate(bindings):
        check(binding, f"policy.bindings[{index}]", service_accounts)
    new = {"version": given.get("version") or 1, "etag": new_etag(), "bindings": one_each(bindings)}
    if "auditConfigs" in given:
        new["auditConfigs"] = given["auditConfigs"]
    holder.policy = new
    return get(holder, 3)


def same(etag):
    """Etags are bytes: both alphabets of base64 say the same."""
    return etag.replace("-", "+").replace("_", "/").rstrip("=")


def check(binding, field, service_accounts):
    role = binding.get("role", "")
    if not ROLE.fullmatch(role):
        raise GoogleError(400, f"Role {role} is not supported for this resource.", details=[bad_request(f"{field}.role", role)])
    if role.startswith("projects/") and STATE.thing("iam", role) is None:
        raise GoogleError(400, f"Role ({role}) does not exist in the resource's hierarchy.")
    for member in binding["members"]:
        if not MEMBER.fullmatch(member):
            raise GoogleError(400, f"Invalid member: {member}", details=[bad_request(f"{field}.members", member)])
        email = member.partition(":")[2]
        pool = POOL.fullmatch(email) if member.startswith("serviceAccount:") else None
        if pool and STATE.project(pool[2]) and pool[1] not in STATE.project(pool[2]).identity_pools:
            raise GoogleError(400, f"Identity Pool does not exist ({pool[1]}). Please check that you specified a valid resource name as returned in the "
                                   "`name` attribute in the configuration API.")
        if ".svc.id.goog" in email and not pool:
            raise GoogleError(400, f"Invalid member: {member}", details=[bad_request(f"{field}.members", member)])
        if member.startswith("serviceAccount:") and email.endswith(".iam.gserviceaccount.com") and service_accounts and not known_account(email):
            raise GoogleError(400, f"Service account {email} does not exist.")


def known_account(email):
    project = email.split("@")[1].removesuffix(".iam.gserviceaccount.com")
    if STATE.project(project) is None:  # of another company
        return True
    thing = STATE.thing("iam", f"projects/{project}/serviceAccounts/{email}")
    return thing is not None and not STATE.is_young(thing.name)


def one_each(bindings):
    """One binding for a role and condition, members in order and once."""
    merged = {}
    for binding in bindings:
        key = (binding["role"], str(binding.get("condition")))
        kept = merged.setdefault(key, {**binding, "members": []})
        kept["members"] = sorted({*kept["members"], *binding["members"]})
    return [merged[k] for k in sorted(merged)]


def has(holder, role, member):
    return any(b["role"] == role and member in b["members"] for b in current(holder).get("bindings", []))


def forget_account(email, unique_id):
    """A deleted service account stays in policies as deleted:…?uid=…"""
    old, new = f"serviceAccount:{email}", f"deleted:serviceAccount:{email}?uid={unique_id}"
    for holder in [*STATE.projects.values(), *STATE.things.values()]:
        for binding in (holder.policy or {}).get("bindings", []):
            if old in binding["members"]:
                binding["members"] = sorted(new if m == old else m for m in binding["members"])
                holder.policy["etag"] = new_etag()
