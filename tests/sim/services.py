"""Service Quotas, Systems Manager, Secrets Manager, IAM, STS and CloudWatch Logs, beyond what moto has of them."""
import secrets
import time
from datetime import datetime, timezone

from moto.ec2.models import ec2_backends
from moto.iam.models import get_account_id_from, iam_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends

from tests.sim import machines, sagemaker
from tests.sim.state import STATE, Key, Refused, check, edit, effect, own

# ---- Service Quotas, of EC2: moto has none of them


def quota(request, code, value):
    name = machines.QUOTAS[code][0]
    account = get_account_id_from(request.access_key)
    return {
        "ServiceCode": "ec2", "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)", "QuotaCode": code, "QuotaName": name,
        "QuotaArn": f"arn:aws:servicequotas:{request.region}:{account}:ec2/{code}", "Value": value, "Unit": "None", "Adjustable": True,
        "GlobalQuota": False}


def of_ec2(request):
    """Only EC2's; those of other services are moto's."""
    return request.params.get("ServiceCode") == "ec2"


def quota_or_refuse(request, value):
    code = request.params["QuotaCode"]
    if code not in machines.QUOTAS:
        raise Refused("NoSuchResourceException", "The request failed because the specified resource does not exist.")
    return {"Quota": quota(request, code, value(code))}


@own("servicequotas", "GetServiceQuota")
def get_service_quota(request):
    return quota_or_refuse(request, machines.quota_value) if of_ec2(request) else None


@own("servicequotas", "GetAWSDefaultServiceQuota")
def get_default_quota(request):
    return quota_or_refuse(request, machines.DEFAULTS.__getitem__) if of_ec2(request) else None


@own("servicequotas", "ListServiceQuotas")
def list_quotas(request):
    if request.params.get("ServiceCode") == "sagemaker":
        return {"Quotas": list(sagemaker.quotas(request))}
    if not of_ec2(request):
        raise Refused("NoSuchResourceException", "The request failed because the specified resource does not exist.")
    return {"Quotas": [quota(request, code, machines.quota_value(code)) for code in machines.QUOTAS]}


@own("servicequotas", "ListAWSDefaultServiceQuotas")
def list_default_quotas(request):
    return {"Quotas": [quota(request, code, value) for code, value in machines.DEFAULTS.items()]} if of_ec2(request) else None


@own("servicequotas", "ListServices")
def list_services(request):
    return {"Services": [{"ServiceCode": "ec2", "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)"}]}


@own("servicequotas", "RequestServiceQuotaIncrease")
def request_increase(request):
    code, wanted = request.params["QuotaCode"], request.params["DesiredValue"]
    known = quota_or_refuse(request, machines.quota_value)["Quota"]
    if wanted <= known["Value"]:
        raise Refused("IllegalArgumentException", "You must provide a quota value greater than the current quota value.")
    return {"RequestedQuota": {"Id": "0123456789abcdef0123456789abcdef", "ServiceCode": "ec2", "ServiceName": known["ServiceName"],
                               "QuotaCode": code, "QuotaName": known["QuotaName"], "DesiredValue": wanted, "Status": "PENDING"}}


# ---- Systems Manager: the public parameters of the Deep Learning images

PREFIX = "/aws/service/deeplearning/ami/"
IMAGES = {
    f"{PREFIX}{architecture}/{name}/latest/ami-id": (architecture, title)
    for architecture in ("x86_64", "arm64")
    for name, title in {
        "base-oss-nvidia-driver-gpu-ubuntu-22.04": "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)",
        "base-oss-nvidia-driver-gpu-ubuntu-24.04": "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04)",
        "base-oss-nvidia-driver-gpu-amazon-linux-2023": "Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023)",
    }.items()
}
IMAGE_GIB = 65
AMAZON = "898082745236"


def image_of(request, parameter):
    """The current image of a parameter: an image of the region that DescribeImages and RunInstances know too."""
    key = request.region, parameter
    if key not in STATE.images:
        cloud = ec2_backends[get_account_id_from(request.access_key)][request.region]
        architecture, title = IMAGES[parameter]
        source = next(iter(cloud.describe_images(filters={"architecture": ["x86_64"]})))
        image = cloud.copy_image(source.id, request.region, f"{title} {datetime.now(timezone.utc):%Y%m%d}", title)
        image.owner_id, image.owner_alias, image.architecture, image.root_device_type = AMAZON, "amazon", architecture, "ebs"
        image.root_device_name = "/dev/sda1" if "ubuntu" in parameter else "/dev/xvda"
        image.launch_permissions.append({"Group": "all"})
        image.ebs_snapshot.volume.size = IMAGE_GIB
        STATE.images[key] = image.id
    return STATE.images[key]


@edit("ec2", "DescribeImages", when=lambda r: STATE.images)
def image_sizes(request, output):
    """moto gives every image 15 GiB of an old kind."""
    for image in output["Images"]:
        if image["ImageId"] in STATE.images.values():
            for mapping in image["BlockDeviceMappings"]:
                mapping["Ebs"].update({"VolumeSize": IMAGE_GIB, "VolumeType": "gp3", "DeleteOnTermination": True, "Encrypted": False})


def parameter_of(request, name):
    return {"Name": name, "Type": "String", "Value": image_of(request, name), "Version": 1, "DataType": "aws:ec2:image",
            "LastModifiedDate": datetime.now(timezone.utc).replace(microsecond=0), "ARN": f"arn:aws:ssm:{request.region}::parameter{name}"}


@own("ssm", "GetParameter")
def get_parameter(request):
    name = request.params["Name"]
    if not name.startswith(PREFIX):
        return None
    if name not in IMAGES:
        raise Refused("ParameterNotFound", "")
    return {"Parameter": parameter_of(request, name)}


@edit("ssm", "GetParameters", when=lambda r: any(n in IMAGES for n in r.params["Names"]))
def get_parameters(request, output):
    ours = [n for n in request.params["Names"] if n in IMAGES]
    output["InvalidParameters"] = [n for n in output.get("InvalidParameters", []) if n not in ours]
    output["Parameters"] = [p for p in output.get("Parameters", []) if p["Name"] not in ours] + [parameter_of(request, n) for n in ours]


@edit("ssm", "GetParametersByPath", when=lambda r: r.params["Path"].startswith(PREFIX.rstrip("/")))
def get_parameters_by_path(request, output):
    path = request.params["Path"].rstrip("/") + "/"
    output["Parameters"] = [parameter_of(request, n) for n in IMAGES
                            if n.startswith(path) and (request.params.get("Recursive") or "/" not in n[len(path):])]


# ---- Secrets Manager


def secret_of(request, name):
    return secretsmanager_backends[get_account_id_from(request.access_key)][request.region].secrets.get(name)


@check("secretsmanager", "CreateSecret")
def name_is_not_waiting_for_deletion(request):
    name = request.params["Name"]
    secret = secret_of(request, name)
    if (secret and secret.deleted_date) or STATE.is_young(("deleting", request.region, name)):
        raise Refused("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")


@own("secretsmanager", "CreateSecret")
def create_secret_again(request):
    """The same call with the same token is the same secret."""
    params = request.params
    secret = secret_of(request, params["Name"])
    version = secret and secret.versions.get(params.get("ClientRequestToken"))
    if not version or version.get("secret_string") != params.get("SecretString"):
        return None
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": params["ClientRequestToken"]}


@effect("secretsmanager", "DeleteSecret")
def deletion_settles(request, output):
    if STATE.settle.get("DeleteSecret") and request.params.get("ForceDeleteWithoutRecovery"):
        STATE.young[("deleting", request.region, output()["Name"])] = time.time() + STATE.settle["DeleteSecret"]


# ---- IAM


@check("iam", "RemoveRoleFromInstanceProfile")
def role_is_in_the_profile(request):
    """moto fails without a code when it is not."""
    profile = iam_backends[get_account_id_from(request.access_key)]["aws"].instance_profiles
    name, role = request.params["InstanceProfileName"], request.params["RoleName"]
    found = next((p for p in profile.values() if p.name == name), None)
    if found and role not in [r.name for r in found.roles]:
        raise Refused("NoSuchEntity", f"Role {role} cannot be found in the instance profile {name}.", 404)


@effect("iam", "CreateRole")
def role_spreads(request, output):
    """Other services know a role only some seconds after IAM does."""
    if STATE.settle.get("CreateRole", 0) > 0:
        STATE.young[("role", request.params["RoleName"])] = time.time() + STATE.settle["CreateRole"]


@effect("iam", "CreateInstanceProfile", "AddRoleToInstanceProfile")
def profile_spreads(request, output):
    """EC2 knows a profile only some seconds after IAM does."""
    seconds = STATE.settle.get(request.operation, 0)
    if seconds > 0:
        STATE.young[("instance-profile", request.params["InstanceProfileName"])] = time.time() + seconds


# ---- STS


def issue():
    """A key for a while, as the metadata services and SSO hand out."""
    name, secret, token = "ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), "token/" + secrets.token_urlsafe(60)
    expires = STATE.now() + STATE.settings["issued_for_s"]
    STATE.keys[name] = Key(secret, token, expires)
    return name, secret, token, expires


@edit("sts", "AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken")
def remember_keys(request, output):
    """Keys that STS issues sign from now on, until they expire."""
    given = output["Credentials"]
    seconds = min(request.params.get("DurationSeconds", 3600), STATE.settings["issued_for_s"])
    expires = STATE.now() + seconds
    given["Expiration"] = datetime.fromtimestamp(int(expires), timezone.utc)
    STATE.keys[given["AccessKeyId"]] = Key(given["SecretAccessKey"], given["SessionToken"], expires)


@check("sts", "AssumeRoleWithWebIdentity")
def token_is_a_token(request):
    if request.params["WebIdentityToken"].count(".") != 2:
        raise Refused("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")


# ---- CloudWatch Logs

RETENTION = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


@check("logs", "DeleteLogGroup")
def tags_go_with_the_group(request):
    """moto keeps them, and gives them to the next group of that name."""
    backend = logs_backends[get_account_id_from(request.access_key)][request.region]
    group = backend.groups.get(request.params.get("logGroupName"))
    if group:
        backend.tagger.delete_all_tags_for_resource(group.arn)


@check("logs", "PutRetentionPolicy")
def retention_is_listed(request):
    days = request.params["retentionInDays"]
    if days not in RETENTION:
        raise Refused("InvalidParameterException", f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                                                   f"Member must satisfy enum value set: {sorted(RETENTION)}")
