"""EKS: access entries and their policies, pod identity associations."""
import copy
import os
import re
import uuid

from moto.iam.models import get_account_id_from, iam_backends
from moto.sts.models import sts_backends

from tests.sim.eks import active, bad, cluster_of, in_use, now, role_of
from tests.sim.state import STATE, Refused, own

POLICY_PREFIX = "arn:aws:eks::aws:cluster-access-policy/"
POLICIES = ("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy",
            "AmazonEKSAutoNodePolicy", "AmazonSagemakerHyperpodClusterPolicy")
TYPES = ("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX")
ASSUMED = re.compile(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.*")


def caller(request):
    """Who calls, as an access entry names it: the role behind a session."""
    account = get_account_id_from(request.access_key)
    arn = sts_backends[account]["aws"].get_caller_identity(request.access_key, request.region)[1]
    session = ASSUMED.fullmatch(arn)
    return f"arn:aws:iam::{session[1]}:role/{session[2]}" if session else arn.replace(":sts:", ":iam:")


def principal_exists(request, arn):
    """A role or user of the caller's account that EKS knows by now; those of other accounts are not looked at."""
    account = get_account_id_from(request.access_key)
    match = re.fullmatch(r"arn:aws:iam::(\d{12}):(role|user|root)/?(.*)", arn)
    if not match or match[1] != account or match[2] == "root":
        return bool(match)
    backend = iam_backends[account]["aws"]
    if match[2] == "role":
        return any(r.arn == arn and not STATE.is_young(("role", r.name)) for r in backend.roles.values())
    return any(u.arn == arn for u in backend.users.values()) or arn.endswith(":user/moto")


# ---- access entries


def add_entry(cluster, principal, kind, groups, tags, username=None, policies=()):
    account, _, path = principal.partition("iam::")[2].partition(":")
    session = f"arn:aws:sts::{account}:assumed-role/{path.rpartition('/')[2]}/{{{{SessionName}}}}" if path.startswith("role/") else principal
    entry = {"clusterName": cluster.name, "principalArn": principal, "kubernetesGroups": groups, "createdAt": now(), "modifiedAt": now(),
             "accessEntryArn": cluster.arn("access-entry", path.partition("/")[0], account, path.rpartition("/")[2], str(uuid.uuid4())),
             "tags": tags, "username": username or session, "type": kind}
    cluster.entries[principal] = (entry, {p: association(p, {"type": "cluster", "namespaces": []}) for p in policies})
    return entry


def association(policy, scope):
    return {"policyArn": policy, "accessScope": scope, "associatedAt": now(), "modifiedAt": now()}


def entries_of(request):
    cluster = active(cluster_of(request))
    if cluster.modes == "CONFIG_MAP":
        raise Refused("InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform "
                                                 "this operation.")
    return cluster


def entry_of(request):
    cluster, principal = entries_of(request), request.params["principalArn"]
    if principal not in cluster.entries:
        raise Refused("ResourceNotFoundException", f"The specified principalArn could not be found: {principal}.", 404)
    return cluster.entries[principal]


def check_groups(groups):
    for group in groups:
        if group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
            raise bad(f"The kubernetes group name {group} is invalid, it cannot start with {group.partition(':')[0]}:")


@own("eks", "CreateAccessEntry")
def create_access_entry(request):
    params, cluster = request.params, entries_of(request)
    principal, kind = params["principalArn"], params.get("type", "STANDARD")
    if principal in cluster.entries:
        raise in_use("The specified access entry resource is already in use on this cluster.")
    if kind not in TYPES:
        raise bad(f"The type {kind} is not one of {', '.join(TYPES)}")
    if not principal_exists(request, principal):
        raise bad("The specified principalArn is invalid: invalid principal.")
    if kind != "STANDARD" and ("kubernetesGroups" in params or "username" in params):
        raise bad(f"An access entry of the type {kind} has neither groups nor a username of its own")
    check_groups(params.get("kubernetesGroups", []))
    entry = add_entry(cluster, principal, kind, params.get("kubernetesGroups", []), dict(params.get("tags", {})), params.get("username"))
    return {"accessEntry": copy.deepcopy(entry)}


@own("eks", "DescribeAccessEntry")
def describe_access_entry(request):
    return {"accessEntry": copy.deepcopy(entry_of(request)[0])}


@own("eks", "ListAccessEntries")
def list_access_entries(request):
    wanted = request.params.get("associatedPolicyArn")
    return {"accessEntries": [p for p, (_, policies) in entries_of(request).entries.items() if not wanted or wanted in policies]}


@own("eks", "UpdateAccessEntry")
def update_access_entry(request):
    entry, _ = entry_of(request)
    if entry["type"] != "STANDARD":
        raise Refused("InvalidRequestException", f"An access entry of the type {entry['type']} cannot be changed")
    check_groups(request.params.get("kubernetesGroups", []))
    entry.update({k: request.params[k] for k in ("kubernetesGroups", "username") if k in request.params}, modifiedAt=now())
    return {"accessEntry": copy.deepcopy(entry)}


@own("eks", "DeleteAccessEntry")
def delete_access_entry(request):
    entry_of(request)
    del cluster_of(request).entries[request.params["principalArn"]]
    return {}


@own("eks", "ListAccessPolicies")
def list_access_policies(request):
    return {"accessPolicies": [{"name": name, "arn": POLICY_PREFIX + name} for name in POLICIES]}


@own("eks", "AssociateAccessPolicy")
def associate_access_policy(request):
    (entry, policies), params = entry_of(request), request.params
    policy, scope = params["policyArn"], {"namespaces": [], **params["accessScope"]}
    if policy not in [POLICY_PREFIX + name for name in POLICIES]:
        raise bad(f"The policyArn parameter format is not valid: {policy}")
    if entry["type"] != "STANDARD":
        raise Refused("InvalidRequestException", f"Access policies cannot be associated with an access entry of the type {entry['type']}")
    if (scope.get("type") == "namespace") != bool(scope["namespaces"]):
        raise bad("The access scope names namespaces when, and only when, its type is namespace")
    old = policies.get(policy)
    policies[policy] = {**association(policy, scope), **({"associatedAt": old["associatedAt"]} if old else {})}
    return {"clusterName": params["clusterName"], "principalArn": params["principalArn"], "associatedAccessPolicy": copy.deepcopy(policies[policy])}


@own("eks", "DisassociateAccessPolicy")
def disassociate_access_policy(request):
    _, policies = entry_of(request)
    if policies.pop(request.params["policyArn"], None) is None:
        raise Refused("ResourceNotFoundException", "The specified policyArn is not associated with the access entry.", 404)
    return {}


@own("eks", "ListAssociatedAccessPolicies")
def list_associated_access_policies(request):
    _, policies = entry_of(request)
    return {"clusterName": request.params["clusterName"], "principalArn": request.params["principalArn"],
            "associatedAccessPolicies": copy.deepcopy(list(policies.values()))}


# ---- pod identity


def associate(cluster, namespace, account, role, tags, owner=None):
    identity = "a-" + os.urandom(9).hex()[:17]
    made = cluster.associations[identity] = {
        "clusterName": cluster.name, "namespace": namespace, "serviceAccount": account, "roleArn": role, "associationId": identity, "tags": tags,
        "associationArn": cluster.arn("podidentityassociation", identity), "createdAt": now(), "modifiedAt": now(), "disableSessionTags": False,
        **({"ownerArn": owner} if owner else {})}
    return made


def association_of(request):
    cluster, identity = cluster_of(request), request.params["associationId"]
    if identity not in cluster.associations:
        raise Refused("ResourceNotFoundException", f"No association found for ID: {identity}", 404)
    return cluster.associations[identity]


def check_role(request):
    role = request.params.get("roleArn")
    if role and role_of(request, role, "pods.eks.amazonaws.com", ("sts:AssumeRole", "sts:TagSession")) is None:
        raise bad(f"Trust policy of the role {role} does not let EKS Pod Identity assume it, or the role does not exist")


@own("eks", "CreatePodIdentityAssociation")
def create_pod_identity_association(request):
    params, cluster = request.params, active(cluster_of(request))
    place = params["namespace"], params["serviceAccount"]
    known = next((i for i, a in cluster.associations.items() if (a["namespace"], a["serviceAccount"]) == place), None)
    if known:
        raise in_use(f"Association already exists: {known}")
    check_role(request)
    made = associate(cluster, *place, params["roleArn"], dict(params.get("tags", {})))
    made.update({k: params[k] for k in ("disableSessionTags", "targetRoleArn", "policy") if k in params})
    return {"association": copy.deepcopy(made)}


@own("eks", "DescribePodIdentityAssociation")
def describe_pod_identity_association(request):
    return {"association": copy.deepcopy(association_of(request))}


@own("eks", "ListPodIdentityAssociations")
def list_pod_identity_associations(request):
    params, members = request.params, ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")
    return {"associations": [{k: a[k] for k in members if k in a} for a in cluster_of(request).associations.values()
                             if params.get("namespace", a["namespace"]) == a["namespace"]
                             and params.get("serviceAccount", a["serviceAccount"]) == a["serviceAccount"]]}


@own("eks", "UpdatePodIdentityAssociation")
def update_pod_identity_association(request):
    made = association_of(request)
    check_role(request)
    made.update({k: request.params[k] for k in ("roleArn", "disableSessionTags", "targetRoleArn", "policy") if k in request.params}, modifiedAt=now())
    return {"association": copy.deepcopy(made)}


@own("eks", "DeletePodIdentityAssociation")
def delete_pod_identity_association(request):
    made = association_of(request)
    if "ownerArn" in made:
        raise Refused("InvalidRequestException", f"The association belongs to {made['ownerArn']}")
    del cluster_of(request).associations[made["associationId"]]
    return {"association": copy.deepcopy(made)}
