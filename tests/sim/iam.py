"""IAM: the policies that AWS manages, one by one as they are asked for, and what moto lets through around policies."""
import json

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, get_account_id_from, iam_backends

from tests.sim.state import Refused, check, own

PREFIX = "arn:aws:iam::aws:policy"
DECODER = json.JSONDecoder()


def backend(request):
    return iam_backends[get_account_id_from(request.access_key)]["aws"]


def load(cloud, arn):
    """Reading all of them takes moto seconds; a policy is found in the text by its name, and read alone."""
    name = arn.rpartition("/")[2]
    if not arn.startswith(PREFIX + "/") or arn in cloud.managed_policies or not name.replace("_", "").replace("-", "").isalnum():
        return
    start = aws_managed_policies_data.find(f'\n "{name}":')
    if start < 0:
        return
    data, _ = DECODER.raw_decode(aws_managed_policies_data, aws_managed_policies_data.index("{", start))
    policy = AWSManagedPolicy.from_data(name, cloud.account_id, cloud.region_name, data)
    if policy.arn == arn:
        cloud.managed_policies[arn] = policy


@check("iam", "GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "ListEntitiesForPolicy", "AttachUserPolicy", "AttachGroupPolicy", "CreatePolicyVersion",
       "DeletePolicy", "TagPolicy")
def managed_policy(request):
    load(backend(request), request.params["PolicyArn"])


@own("iam", "AttachRolePolicy")
def attach_role_policy(request):
    """What is attached stays attached: moto counts it twice."""
    cloud, arn = backend(request), request.params["PolicyArn"]
    load(cloud, arn)
    role = next((r for r in cloud.roles.values() if r.name == request.params["RoleName"]), None)
    return {} if role and arn in role.managed_policies else None


@check("iam", "DeleteRole")
def role_has_no_policies(request):
    role = next((r for r in backend(request).roles.values() if r.name == request.params["RoleName"]), None)
    if role and role.managed_policies:
        raise Refused("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    if role and role.policies:
        raise Refused("DeleteConflict", "Cannot delete entity, must delete policies first.")


@check("iam", "CreatePolicyVersion")
def versions_are_few(request):
    policy = backend(request).managed_policies.get(request.params["PolicyArn"])
    if policy and len(policy.versions) >= 5:
        raise Refused("LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")


@check("iam", "DeletePolicy")
def policy_is_unused(request):
    policy = backend(request).managed_policies.get(request.params["PolicyArn"])
    if policy and policy.attachment_count > 0:
        raise Refused("DeleteConflict", "Cannot delete a policy attached to entities.")
    if policy and len(policy.versions) > 1:
        raise Refused("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
                                        "The default version is deleted with the policy.")


@check("iam", "CreateOpenIDConnectProvider")
def provider_is_new(request):
    arn = f"arn:aws:iam::{backend(request).account_id}:oidc-provider/{request.params['Url'].partition('://')[2].rstrip('/')}"
    if arn in backend(request).open_id_providers:
        raise Refused("EntityAlreadyExists", f"Provider with url {request.params['Url']} already exists.")


def provider_of(request):
    arn = request.params["OpenIDConnectProviderArn"]
    found = backend(request).open_id_providers.get(arn)
    if found is None:
        raise Refused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")
    return found


@own("iam", "AddClientIDToOpenIDConnectProvider")
def add_client(request):
    provider = provider_of(request)
    if request.params["ClientID"] not in provider.client_id_list:
        provider.client_id_list.append(request.params["ClientID"])
    return {}


@own("iam", "RemoveClientIDFromOpenIDConnectProvider")
def remove_client(request):
    provider = provider_of(request)
    provider.client_id_list = [c for c in provider.client_id_list if c != request.params["ClientID"]]
    return {}
