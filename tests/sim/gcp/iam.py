"""IAM: service accounts with their keys and soft deletion, custom and predefined roles, workload identity pools (by the core)."""
import base64
import json
import random
import re
import secrets
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.sim.gcp import aip, policy
from tests.sim.gcp.errors import GoogleError, bad_request, error_info
from tests.sim.gcp.state import NUMBER, PROJECT, STATE, Thing, own, prepare

ACCOUNT_ID = re.compile(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])")
EXAMPLE_KEYS = []  # making keys is slow; the private keys of the simulator are made once


@prepare
def first():
    """A world has one project, and its Compute Engine default service account."""
    project = STATE.add_project(PROJECT, NUMBER)
    default_account(project)


def default_account(project):
    add_account(project.id, f"{project.number}-compute@developer.gserviceaccount.com", {"displayName": "Compute Engine default service account"})


def unique_id():
    return str(random.randrange(10 ** 20, 11 * 10 ** 19))


def add_account(project, email, fields):
    name = f"projects/{project}/serviceAccounts/{email}"
    number = unique_id()
    body = {"name": name, "projectId": project, "uniqueId": number, "email": email, "oauth2ClientId": number,
            "etag": base64.b64encode(secrets.token_bytes(8)).decode(), **{k: v for k, v in fields.items() if v}}
    return STATE.add(Thing("iam", name, "serviceAccounts", body, project))


def account_path(request):
    """The name of an account that a request gives by email or unique id, in a project or "-"."""
    text = request.path_values.get("name") or request.path_values.get("resource")
    text = re.sub(r"/keys(/.*)?$", "", text)
    parts = text.split("/")
    for thing in STATE.of("iam", "serviceAccounts"):
        if parts[3] in (thing.body["email"], thing.body["uniqueId"]) and (parts[1] == "-" or parts[1] in (thing.project, STATE.project(thing.project).number)):
            return thing.name
    return text


def account(request):
    path = account_path(request)
    thing = STATE.thing("iam", path)
    if thing is None or STATE.is_young(path) and request.method.verb != "get":
        raise unknown_account(path.split("/")[3])
    return thing


def unknown_account(email):
    # "Unknown service account" was the text until 2022; both are seen.
    return GoogleError(404, f"Service account {email} does not exist.", details=[error_info("ACCOUNT_NOT_FOUND", "iam.googleapis.com", email=email)])


@own("iam.projects.serviceAccounts.create")
def create(request):
    body = request.body or {}
    account_id, project = body.get("accountId", ""), request.project
    if not ACCOUNT_ID.fullmatch(account_id):
        raise GoogleError(400, f"The account ID \"{account_id}\" does not have a length between 6 and 30.", details=[
            bad_request("account_id", "Must be 6 to 30 lowercase letters, digits and hyphens, and begin with a letter.")])
    fields = {k: v for k, v in (body.get("serviceAccount") or {}).items() if k in ("displayName", "description")}
    if len(fields.get("displayName", "").encode()) > 100 or len(fields.get("description", "").encode()) > 256:
        raise GoogleError(400, "The display name has at most 100 bytes, the description at most 256.")
    email = f"{account_id}@{project.id}.iam.gserviceaccount.com"
    if STATE.thing("iam", f"projects/{project.id}/serviceAccounts/{email}"):
        raise GoogleError(409, f"Service account {account_id} already exists within project projects/{project.id}.", details=[
            {"@type": "type.googleapis.com/google.rpc.ResourceInfo", "resourceName": f"projects/{project.id}/serviceAccounts/{email}"}])
    thing = add_account(project.id, email, fields)
    STATE.young[thing.name] = time.time() + STATE.visible.get(request.method.id, 0)
    return thing.body


@own("iam.projects.serviceAccounts.get")
def get(request):
    return account(request).body


@own("iam.projects.serviceAccounts.list")
def list_accounts(request):
    found = [t.body for t in STATE.of("iam", "serviceAccounts") if t.project == request.project.id]
    return aip.page(request, found, "accounts")


@own("iam.projects.serviceAccounts.patch", "iam.projects.serviceAccounts.update")
def patch(request):
    thing = account(request)
    body = request.body or {}
    given = body.get("serviceAccount", body)
    if given.get("etag") and policy.same(given["etag"]) != policy.same(thing.body["etag"]):
        raise GoogleError(409, "There were concurrent changes. Please retry the whole read-modify-write.", status="ABORTED")
    names = [aip.snake_to_camel(n) for n in (body.get("updateMask") or "displayName,description").split(",")]
    for name in names:
        if name not in ("displayName", "description"):
            raise GoogleError(400, f"Invalid update mask: {name} cannot be updated.")
        if given.get(name):
            thing.body[name] = given[name]
        elif name in given or "updateMask" in body:
            thing.body.pop(name, None)
    thing.body["etag"] = base64.b64encode(secrets.token_bytes(8)).decode()
    return thing.body


@own("iam.projects.serviceAccounts.delete")
def delete(request):
    thing = account(request)
    STATE.remove(thing)
    STATE.buried[thing.body["uniqueId"]] = thing
    for key in STATE.of("iam", "keys", f"{thing.name}/keys/"):
        STATE.remove(key)
    policy.forget_account(thing.body["email"], thing.body["uniqueId"])
    return {}


@own("iam.projects.serviceAccounts.undelete")
def undelete(request):
    number = request.path_values["name"].rsplit("/", 1)[1]
    thing = STATE.buried.get(number)
    if thing is None:
        raise unknown_account(number)
    if STATE.thing("iam", thing.name):
        raise GoogleError(400, f"Service account {thing.body['email']} already exists.", status="FAILED_PRECONDITION")
    del STATE.buried[number]
    STATE.add(thing)
    return {"restoredAccount": thing.body}


@own("iam.projects.serviceAccounts.enable")
def enable(request):
    account(request).body.pop("disabled", None)
    return {}


@own("iam.projects.serviceAccounts.disable")
def disable(request):
    account(request).body["disabled"] = True
    return {}


@own("iam.projects.serviceAccounts.getIamPolicy")
def get_policy(request):
    return policy.get(account(request), request.params.get("options.requestedPolicyVersion", 1))


@own("iam.projects.serviceAccounts.setIamPolicy")
def set_policy(request):
    thing, given = account(request), (request.body or {}).get("policy")
    if given is None:
        raise GoogleError(400, "Request contains an invalid argument: policy is required.")
    return policy.set(thing, given)


@own("iam.projects.serviceAccounts.testIamPermissions")
def test_permissions(request):
    account(request)
    return {"permissions": (request.body or {}).get("permissions", [])}


# --- keys ---


def private_key():
    if len(EXAMPLE_KEYS) < 4:
        EXAMPLE_KEYS.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        return EXAMPLE_KEYS[-1]
    return random.choice(EXAMPLE_KEYS)


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def add_key(thing, base_url):
    """A new key of a service account: (key as IAM shows it, the credentials file)."""
    key, key_id = private_key(), secrets.token_hex(20)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    name = f"{thing.name}/keys/{key_id}"
    body = {"name": name, "keyAlgorithm": "KEY_ALG_RSA_2048", "keyOrigin": "GOOGLE_PROVIDED", "keyType": "USER_MANAGED",
            "validAfterTime": aip.timestamp(), "validBeforeTime": "9999-12-31T23:59:59Z"}
    STATE.add(Thing("iam", name, "keys", body, thing.project)).data["public"] = public
    email = thing.body["email"]
    file = {"type": "service_account", "project_id": thing.project, "private_key_id": key_id, "private_key": pem(key), "client_email": email,
            "client_id": thing.body["uniqueId"], "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": f"{base_url}/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{email}", "universe_domain": "googleapis.com"}
    return body, file


@own("iam.projects.serviceAccounts.keys.create")
def create_key(request):
    body, file = add_key(account(request), request.base_url)
    return {**body, "privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE", "privateKeyData": base64.b64encode(json.dumps(file).encode()).decode()}


@own("iam.projects.serviceAccounts.keys.list")
def list_keys(request):
    return {"keys": [k.body for k in STATE.of("iam", "keys", f"{account(request).name}/keys/")]}


def key_of(request):
    path = f"{account(request).name}/keys/{request.path_values['name'].rsplit('/', 1)[1]}"
    found = STATE.thing("iam", path)
    if found is None:
        raise GoogleError(404, f"Service account key {path.rsplit('/', 1)[1]} does not exist.")
    return found


@own("iam.projects.serviceAccounts.keys.get")
def get_key(request):
    return key_of(request).body


@own("iam.projects.serviceAccounts.keys.delete")
def delete_key(request):
    STATE.remove(key_of(request))
    return {}


# --- roles ---


@own("iam.roles.get")
def predefined_role(request):
    name = request.path_values["name"]
    if not re.fullmatch(r"roles/[\w.]+", name):
        raise GoogleError(404, f"The role named {name} was not found.")
    return {"name": name, "title": name.rpartition("/")[2], "stage": "GA", "etag": "AA==", "includedPermissions": []}


@own("iam.projects.roles.create")
def create_role(request):
    body = request.body or {}
    role_id = body.get("roleId", "")
    if not re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", role_id):
        raise GoogleError(400, f"The role ID \"{role_id}\" is not valid.")
    name = f"projects/{request.project.id}/roles/{role_id}"
    old = STATE.thing("iam", name)
    if old:
        raise GoogleError(409, f"A role named {role_id} in projects/{request.project.id} already exists.")
    role = {"stage": "ALPHA", **(body.get("role") or {}), "name": name, "etag": policy.new_etag()}
    return STATE.add(Thing("iam", name, "roles", role, request.project.id)).body


@own("iam.projects.roles.delete")
def delete_role(request):
    thing = STATE.thing("iam", aip.key_of(request))
    if thing is None:
        raise GoogleError(404, f"The role named {request.path_values['name']} was not found.")
    thing.body["deleted"] = True
    return thing.body


@own("iam.projects.roles.undelete")
def undelete_role(request):
    thing = aip.wanted(request)
    thing.body.pop("deleted", None)
    return thing.body
