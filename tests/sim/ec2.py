"""EC2 beyond moto: what AWS refuses and moto lets through, and states that take their time."""
import base64
import binascii
import time

import moto.ec2.utils
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.iam.models import get_account_id_from, iam_backends

from tests.sim import machines
from tests.sim.state import STATE, Refused, check, edit, effect, own

matches_all = moto.ec2.utils.is_filter_matching


def matches_any(thing, name, wanted):
    """EC2's filters pass what has any of the values; moto's want all of either side when a thing has several."""
    has = thing.get_filter_value(name)
    if isinstance(wanted, list) and isinstance(has, (list, set, tuple)):
        return any(v in wanted for v in has) or matches_all(thing, name, wanted)
    return matches_all(thing, name, wanted)


moto.ec2.utils.is_filter_matching = matches_any

# What the message and the code of a missing object are called, by the prefix of its id.
KINDS = {
    "vpc": ("InvalidVpcID.NotFound", "vpc ID"), "subnet": ("InvalidSubnetID.NotFound", "subnet ID"),
    "igw": ("InvalidInternetGatewayID.NotFound", "internetGateway ID"), "nat": ("NatGatewayNotFound", "NAT gateway"),
    "eipalloc": ("InvalidAllocationID.NotFound", "allocation ID"), "rtb": ("InvalidRouteTableID.NotFound", "routeTable ID"),
    "sg": ("InvalidGroup.NotFound", "security group"), "vol": ("InvalidVolume.NotFound", "volume"),
    "i": ("InvalidInstanceID.NotFound", "instance ID"), "ami": ("InvalidAMIID.NotFound", "image id"),
    "lt": ("InvalidLaunchTemplateId.NotFound", "launch template ID"),
    "sgr": ("InvalidSecurityGroupRuleId.NotFound", "security group rule ID"),
}


def backend(request):
    return ec2_backends[get_account_id_from(request.access_key)][request.region]


def not_found(identity):
    code, noun = KINDS.get(identity.rpartition("-")[0], ("InvalidID", "ID"))
    return Refused(code, f"The {noun} '{identity}' does not exist")


def exists(cloud, identity):
    """Whether moto has the object; true for kinds that this table lacks."""
    prefix = identity.rpartition("-")[0]
    tables = {
        "vpc": lambda: cloud.vpcs, "igw": lambda: cloud.internet_gateways, "nat": lambda: cloud.nat_gateways,
        "rtb": lambda: cloud.route_tables, "vol": lambda: cloud.volumes, "ami": lambda: cloud.amis,
        "subnet": lambda: [s for zone in cloud.subnets.values() for s in zone],
        "eipalloc": lambda: [a.allocation_id for a in cloud.addresses],
        "sg": lambda: [g for groups in cloud.groups.values() for g in groups],
        "i": lambda: [i.id for i in cloud.all_instances()], "lt": lambda: cloud.launch_templates,
    }
    return prefix not in tables or identity in tables[prefix]()


def get_instance(cloud, identity):
    found = next((i for i in cloud.all_instances() if i.id == identity), None)
    if found is None:
        raise Refused("InvalidInstanceID.NotFound", f"The instance ID '{identity}' does not exist")
    return found


def living(cloud):
    """Instances that still hold their network interface."""
    return [i for i in cloud.all_instances() if i.state != "terminated"]


def nat_gateways(cloud, **wanted):
    """NAT gateways that still hold their address and interface."""
    return [n for n in cloud.nat_gateways.values() if n.state not in ("deleted", "failed") and all(getattr(n, k) == v for k, v in wanted.items())]


# ---- networks


@check("ec2", "DeleteSubnet")
def subnet_is_empty(request):
    cloud, subnet = backend(request), request.params["SubnetId"]
    if any(i.subnet_id == subnet for i in living(cloud)) or nat_gateways(cloud, subnet_id=subnet) or loose_interfaces(cloud, subnet):
        raise Refused("DependencyViolation", f"The subnet '{subnet}' has dependencies and cannot be deleted.")


def loose_interfaces(cloud, subnet):
    """Interfaces of neither an instance nor a NAT gateway."""
    of_nat = {n._eni.id for n in cloud.nat_gateways.values()}
    return [e for e in cloud.enis.values() if e.subnet.id == subnet and e.instance is None and e.id not in of_nat]


@check("ec2", "DetachInternetGateway")
def no_public_addresses(request):
    cloud, vpc = backend(request), request.params["VpcId"]
    if nat_gateways(cloud, vpc_id=vpc) or any(i.vpc_id == vpc and i.public_ip for i in living(cloud) if i.nics):
        raise Refused("DependencyViolation", f"Network {vpc} has some mapped public address(es). Please unmap those public "
                                             "address(es) before detaching the gateway.")


@check("ec2", "DeleteVpc")
def vpc_is_empty(request):
    cloud, vpc = backend(request), request.params["VpcId"]
    attached = any(g.vpc and g.vpc.id == vpc for g in cloud.internet_gateways.values())
    groups = [g for g in cloud.groups.get(vpc, {}).values() if g.name != "default"]
    if attached or groups:
        raise Refused("DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted.")


@check("ec2", "DeleteSecurityGroup")
def group_is_unused(request):
    cloud, group = backend(request), request.params.get("GroupId")
    held = [e for e in cloud.enis.values() if (e.description or "").startswith("Amazon EKS ") and any(g.id == group for g in e.group_set)]
    users = held + [i for i in living(cloud) if any(g.id == group for nic in i.nics.values() for g in nic.group_set)
             or any(g.id == group for g in i.security_groups)]
    names = [g for groups in cloud.groups.values() for g in groups.values() if g.id != group
             and any(r.source_group.get("GroupId") == group for r in [*g.ingress_rules, *g.egress_rules])]
    if users or names:
        raise Refused("DependencyViolation", f"resource {group} has a dependent object")


@check("ec2", "ReleaseAddress")
def address_is_free(request):
    cloud, allocation = backend(request), request.params.get("AllocationId")
    address = next((a for a in cloud.addresses if a.allocation_id == allocation), None)
    if address is None:
        raise not_found(allocation or "eipalloc-")
    used = any(allocation == s.get("allocationId") for n in nat_gateways(cloud) for s in n.address_set)
    if used or (address.association_id and not address_of_nat(cloud, allocation)):
        raise Refused("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")


def address_of_nat(cloud, allocation):
    return any(allocation == s.get("allocationId") for n in cloud.nat_gateways.values() for s in n.address_set)


@check("ec2", "AssociateRouteTable")
def subnet_has_no_table(request):
    cloud, subnet = backend(request), request.params.get("SubnetId")
    for table in cloud.route_tables.values():
        for association, of in table._associations.items():
            if of == subnet and subnet:
                raise Refused("Resource.AlreadyAssociated", f"the specified association for route table {request.params['RouteTableId']} "
                                                            f"conflicts with an existing association")


@check("ec2", "CreateRoute", "ReplaceRoute")
def gateway_of_the_network(request):
    cloud, params = backend(request), request.params
    table = cloud.route_tables.get(params["RouteTableId"])
    gateway = cloud.internet_gateways.get(params.get("GatewayId", ""))
    if params.get("GatewayId", "").startswith("igw-") and gateway is None:
        raise not_found(params["GatewayId"])
    if params.get("NatGatewayId") and not nat_gateways(cloud, id=params["NatGatewayId"]):
        raise Refused("InvalidNatGatewayID.NotFound", f"The natGateway ID '{params['NatGatewayId']}' does not exist")
    if table and gateway and (not gateway.vpc or gateway.vpc.id != table.vpc_id):
        raise Refused("InvalidParameterValue", f"route table {table.id} and network gateway {gateway.id} belong to different networks")


@edit("ec2", "DescribeRouteTables", when=lambda r: any(n.state == "deleted" for n in backend(r).nat_gateways.values()))
def black_holes(request, output):
    gone = {n.id for n in backend(request).nat_gateways.values() if n.state == "deleted"}
    for table in output["RouteTables"]:
        for route in table.get("Routes", []):
            if route.get("NatGatewayId") in gone:
                route["State"] = "blackhole"


@check("ec2", "DescribeNatGateways", "DeleteNatGateway")
def nat_gateway_exists(request):
    named = request.params.get("NatGatewayIds", []) + [request.params[k] for k in ("NatGatewayId",) if k in request.params]
    for identity in named:
        if identity not in backend(request).nat_gateways:
            raise Refused("NatGatewayNotFound", f"NatGateway {identity} was not found")


@check("ec2", "CreateNatGateway")
def address_of_the_nat_gateway(request):
    """moto refuses too, but keeps the interface that it has made before."""
    cloud, allocation = backend(request), request.params.get("AllocationId")
    if allocation and not exists(cloud, allocation):
        raise not_found(allocation)


@effect("ec2", "CreateNatGateway")
def nat_gateway_starts(request, output):
    cloud = backend(request)
    gateway = cloud.nat_gateways[output()["NatGateway"]["NatGatewayId"]]
    routed = any(g.vpc and g.vpc.id == gateway.vpc_id for g in cloud.internet_gateways.values())
    others = [n for n in nat_gateways(cloud) if n is not gateway and {s.get("allocationId") for s in n.address_set} & {s.get("allocationId") for s in gateway.address_set}]
    if not routed:
        STATE.nat_failures[gateway.id] = ("Gateway.NotAttached", f"Network {gateway.vpc_id} has no Internet gateway attached")
    elif others:
        STATE.nat_failures[gateway.id] = ("Resource.AlreadyAssociated", "Elastic IP address is already associated")
    gateway.state = "pending"
    gateway._eni.description, gateway._eni.interface_type = f"Interface for NAT Gateway {gateway.id}", "nat_gateway"

    def ready():
        if gateway.state == "pending":
            gateway.state = "failed" if gateway.id in STATE.nat_failures else "available"
    STATE.after("CreateNatGateway", ready)


@edit("ec2", "CreateNatGateway")
def nat_gateway_is_pending(request, output):
    output["NatGateway"]["State"] = "pending"


@edit("ec2", "DescribeNatGateways", when=lambda r: STATE.nat_failures)
def nat_gateway_failure(request, output):
    for gateway in output["NatGateways"]:
        if gateway["State"] == "failed":
            gateway["FailureCode"], gateway["FailureMessage"] = STATE.nat_failures[gateway["NatGatewayId"]]


@edit("ec2", "DescribeNatGateways")
def nat_gateways_with_the_tags(request, output):
    """moto passes over the tag filters of this call."""
    for wanted in request.params.get("Filters") or request.params.get("Filter") or []:
        if wanted["Name"].startswith("tag:"):
            key = wanted["Name"][len("tag:"):]
            output["NatGateways"] = [n for n in output["NatGateways"]
                                     if any(t["Key"] == key and t["Value"] in wanted["Values"] for t in n.get("Tags", []))]


@own("ec2", "DeleteNatGateway")
def delete_nat_gateway(request):
    cloud = backend(request)
    gateway = cloud.nat_gateways[request.params["NatGatewayId"]]
    if gateway.state in ("deleting", "deleted"):
        return {"NatGatewayId": gateway.id}
    gateway.state = "deleting"

    def gone():
        gateway.state = "deleted"
        for address in cloud.addresses:
            if address.eni is gateway._eni:
                cloud.disassociate_address(association_id=address.association_id)
        cloud.enis.pop(gateway._eni.id, None)
    STATE.after("DeleteNatGateway", gone)
    return {"NatGatewayId": gateway.id}


# ---- tags


@check("ec2", "CreateTags", "DeleteTags")
def tagged_exist(request):
    cloud = backend(request)
    for identity in request.params["Resources"]:
        if not exists(cloud, identity):
            raise not_found(identity)


def check_tags(tags):
    if any(t.get("Key", "").lower().startswith("aws:") for t in tags):
        raise Refused("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
    if len(tags) > 50:
        raise Refused("TagLimitExceeded", "Maximum number of tags exceeded: 50")
    for tag in tags:
        if len(tag.get("Key", "")) > 127 or len(tag.get("Value", "")) > 256:
            raise Refused("InvalidParameterValue", "Tag keys have at most 127 characters, tag values at most 256")


def check_all_tags(request):
    """Of every call that carries tags."""
    check_tags(request.params.get("Tags", []) if request.operation == "CreateTags" else [])
    for specification in request.params.get("TagSpecifications", []):
        check_tags(specification.get("Tags", []))


# ---- launch templates


@check("ec2", "DescribeLaunchTemplates", "DescribeLaunchTemplateVersions", "DeleteLaunchTemplate", "ModifyLaunchTemplate", "CreateLaunchTemplateVersion")
def launch_template_exists(request):
    named = request.params.get("LaunchTemplateIds", []) + [request.params[k] for k in ("LaunchTemplateId",) if k in request.params]
    for identity in named:
        if not exists(backend(request), identity):
            raise not_found(identity)


@edit("ec2", "DescribeLaunchTemplates")
def tags_of_launch_templates(request, output):
    """moto answers those that a template was made with."""
    for template in output["LaunchTemplates"]:
        template["Tags"] = [{"Key": t["key"], "Value": t["value"]} for t in backend(request).launch_templates[template["LaunchTemplateId"]].get_tags()]


# ---- instances


def set_state(instance, code, name):
    instance._state.code, instance._state.name = code, name


@check("ec2", "RunInstances")
def run_instances_is_possible(request):
    cloud, params = backend(request), request.params
    image = cloud.amis.get(params.get("ImageId"))
    if image is None:
        raise Refused("InvalidAMIID.NotFound", f"The image id '[{params.get('ImageId')}]' does not exist")
    kind = params.get("InstanceType", "m1.small")
    if not machines.describe(kind):
        raise Refused("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    check_user_data(params.get("UserData", ""))
    check_profile(request, params.get("IamInstanceProfile"))
    zone = check_place(cloud, params)
    check_offered(request, kind, zone)
    check_quota(request, cloud, kind, params)
    check_devices(image, params.get("BlockDeviceMappings", []))


def check_user_data(text):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    if len(data) > 16384:
        raise Refused("InvalidParameterValue", "User data is limited to 16384 bytes")


def check_profile(request, given):
    if not given:
        return
    account = get_account_id_from(request.access_key)
    profiles = [p for p in iam_backends[account]["aws"].instance_profiles.values() if given.get("Name") == p.name or given.get("Arn") == p.arn]
    if not profiles or STATE.is_young(("instance-profile", profiles[0].name)):
        field = "name" if "Name" in given else "arn"
        raise Refused("InvalidParameterValue", f"Value ({given.get('Name') or given.get('Arn')}) for parameter iamInstanceProfile.{field} is "
                                               f"invalid. Invalid IAM Instance Profile {'name' if field == 'name' else 'ARN'}")
    if not profiles[0].roles:
        raise Refused("InvalidParameterValue", f'IAM Instance Profile "{profiles[0].arn}" has no associated IAM Roles')


def check_place(cloud, params):
    subnet_id = params.get("SubnetId") or next((n["SubnetId"] for n in params.get("NetworkInterfaces", []) if "SubnetId" in n), None)
    if not subnet_id:
        return params.get("Placement", {}).get("AvailabilityZone")
    if not exists(cloud, subnet_id):
        raise not_found(subnet_id)
    subnet = cloud.get_subnet(subnet_id)
    for group in params.get("SecurityGroupIds", []):
        if not exists(cloud, group):
            raise not_found(group)
        if group not in cloud.groups.get(subnet.vpc_id, {}):
            raise Refused("InvalidParameter", f"Security group {group} and subnet {subnet_id} belong to different networks.")
    return subnet.availability_zone


def check_offered(request, kind, zone):
    offered = machines.zones(kind, request.region)
    if zone and zone not in offered:
        others = f" or choosing {', '.join(offered)}" if offered else ""
        raise Refused("Unsupported", f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). "
                                     f"Please retry your request by not specifying an Availability Zone{others}.")


def check_quota(request, cloud, kind, params):
    spot = params.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    code = machines.quota_code(kind, spot)
    if code is None:
        return
    used = sum(machines.vcpus(i.instance_type) for i in cloud.all_instances()
               if i.state in ("pending", "running") and machines.quota_code(i.instance_type, i.lifecycle == "spot") == code)
    limit = machines.quota_value(code)
    if used + machines.vcpus(kind) * params["MaxCount"] <= limit:
        return
    if spot:
        raise Refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    raise Refused("VcpuLimitExceeded", f"You have requested more vCPU capacity than your current vCPU limit of {int(limit)} allows for the "
                                       "instance bucket that the specified instance type belongs to. Please visit "
                                       "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.")


def check_devices(image, mappings):
    for mapping in mappings:
        size = mapping.get("Ebs", {}).get("VolumeSize")
        least = image.ebs_snapshot.volume.size
        if mapping.get("DeviceName") == image.root_device_name and size is not None and size < least:
            raise Refused("InvalidBlockDeviceMapping", f"Volume of size {size}GB is smaller than snapshot '{image.ebs_snapshot.id}', expect "
                                                       f"size >= {least}GB")


@effect("ec2", "RunInstances")
def instance_starts(request, output):
    for made in output()["Instances"]:
        instance = get_instance(backend(request), made["InstanceId"])
        set_state(instance, 0, "pending")
        STATE.after("RunInstances", lambda i=instance: set_state(i, 16, "running") if i.state == "pending" else None)


def changes(instances, code, name, previous):
    return [{"InstanceId": i.id, "CurrentState": {"Code": code, "Name": name}, "PreviousState": p} for i, p in zip(instances, previous)]


def states(instances):
    return [{"Code": i.state_code, "Name": i.state} for i in instances]


@own("ec2", "StartInstances")
def start_instances(request):
    instances = [get_instance(backend(request), i) for i in request.params["InstanceIds"]]
    previous = states(instances)
    for instance in instances:
        if instance.state not in ("stopped", "running", "pending"):
            raise Refused("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be started.")
    for instance in instances:
        if instance.state == "stopped":
            set_state(instance, 0, "pending")
            STATE.after("StartInstances", lambda i=instance: i.start() if i.state == "pending" else None)
    return {"StartingInstances": changes(instances, *((16, "running") if previous[0]["Name"] == "running" else (0, "pending")), previous)}


@own("ec2", "StopInstances")
def stop_instances(request):
    instances = [get_instance(backend(request), i) for i in request.params["InstanceIds"]]
    previous = states(instances)
    for instance in instances:
        if instance.state in ("terminated", "shutting-down", "pending"):
            raise Refused("IncorrectInstanceState", f"This instance '{instance.id}' is not in a state from which it can be stopped.")
        if instance.lifecycle == "spot":
            raise Refused("UnsupportedOperation", f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time "
                                                  "Spot Instance request. You can only stop Spot Instances associated with persistent Spot "
                                                  "Instance requests.")
    for instance in instances:
        if instance.state == "running":
            set_state(instance, 64, "stopping")
            STATE.after("StopInstances", lambda i=instance: i.stop() if i.state == "stopping" else None)
    return {"StoppingInstances": changes(instances, *((80, "stopped") if previous[0]["Name"] == "stopped" else (64, "stopping")), previous)}


@own("ec2", "TerminateInstances")
def terminate_instances(request):
    cloud = backend(request)
    instances = [get_instance(cloud, i) for i in request.params["InstanceIds"]]
    previous = states(instances)
    for instance in instances:
        if instance.disable_api_termination in (True, "true"):
            raise Refused("OperationNotPermitted", f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' "
                                                   "instance attribute and try again.")
    for instance in instances:
        if instance.state in ("terminated", "shutting-down"):
            continue
        set_state(instance, 32, "shutting-down")
        STATE.after("TerminateInstances", lambda i=instance: end_instance(cloud, i))
    return {"TerminatingInstances": changes(instances, *((48, "terminated") if previous[0]["Name"] == "terminated" else (32, "shutting-down")), previous)}


def end_instance(cloud, instance):
    """Volumes that stay are detached, as AWS does and moto does not."""
    cloud.terminate_instances([instance.id])
    for volume in list(cloud.volumes.values()):
        if volume.attachment and volume.attachment.instance is instance:
            volume.attachment = None


@check("ec2", "ModifyInstanceAttribute")
def one_attribute_of_a_stopped_instance(request):
    params = request.params
    instance = get_instance(backend(request), params["InstanceId"])
    given = [k for k in params if k not in ("InstanceId", "DryRun", "Attribute", "Value")]
    if len(given) > 1:
        raise Refused("InvalidParameterCombination", "Fields for multiple attribute types specified")
    stopped_only = {"InstanceType", "UserData", "EnaSupport", "Kernel", "Ramdisk"}
    if given and given[0] in stopped_only and instance.state != "stopped":
        raise Refused("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
    if "InstanceType" in params:
        kind = params["InstanceType"].get("Value", "")
        if not machines.describe(kind):
            raise Refused("InvalidInstanceAttributeValue", f"Invalid type value specified, {kind}.")
        check_offered(request, kind, instance.placement.zone)


@effect("ec2", "ModifyInstanceAttribute")
def interfaces_have_the_groups(request, output):
    """moto leaves the instance's interfaces in the groups that they were in."""
    if request.params.get("Groups"):
        instance = get_instance(backend(request), request.params["InstanceId"])
        for interface in instance.nics.values():
            interface._group_set = list(instance.security_groups)


@check("ec2", "ModifyVpcAttribute")
def one_attribute(request):
    if len(request.params) - ("DryRun" in request.params) > 2:
        raise Refused("InvalidParameterCombination", "Fields for multiple attribute types specified")


# ---- volumes


@check("ec2", "AttachVolume")
def volume_can_be_attached(request):
    cloud, params = backend(request), request.params
    instance = get_instance(cloud, params["InstanceId"])
    volume = cloud.volumes.get(params["VolumeId"])
    if volume is None:
        raise Refused("InvalidVolume.NotFound", f"The volume '{params['VolumeId']}' does not exist.")
    if STATE.is_young(("creating", volume.id)):
        raise Refused("IncorrectState", f"Volume '{volume.id}' is not 'available'.")
    if instance.state not in ("running", "stopped"):
        raise Refused("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.attachment:
        raise Refused("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.zone.name != instance.placement.zone:
        raise Refused("InvalidVolume.ZoneMismatch", f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'")
    if params["Device"] in instance.block_device_mapping:
        raise Refused("InvalidParameterValue", f"Invalid value '{params['Device']}' for unixDevice. Attachment point {params['Device']} is already in use")


@own("ec2", "DetachVolume")
def detach_volume(request):
    cloud, params = backend(request), request.params
    volume = cloud.volumes.get(params["VolumeId"])
    if volume is None:
        raise Refused("InvalidVolume.NotFound", f"The volume '{params['VolumeId']}' does not exist.")
    attachment = volume.attachment
    if not attachment or params.get("InstanceId", attachment.instance.id) != attachment.instance.id:
        raise Refused("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    if attachment.device == attachment.instance.root_device_name and attachment.instance.state == "running":
        raise Refused("OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{attachment.instance.id}'")
    cloud.detach_volume(volume.id, attachment.instance.id, attachment.device)
    return {"VolumeId": volume.id, "InstanceId": attachment.instance.id, "Device": attachment.device, "State": "detaching",
            "AttachTime": attachment.attach_time}


@check("ec2", "ModifyVolume")
def volume_can_be_modified(request):
    volume = backend(request).volumes.get(request.params["VolumeId"])
    if volume is None:
        raise Refused("InvalidVolume.NotFound", f"The volume '{request.params['VolumeId']}' does not exist.")
    if request.params.get("Size", volume.size) < volume.size:
        raise Refused("InvalidParameterValue", f"New size cannot be smaller than existing size: {volume.size} GiB")
    if STATE.is_young(("modifying", volume.id)):
        raise Refused("IncorrectModificationState", f"Volume {volume.id} in state modifying")


@effect("ec2", "CreateVolume", "AttachVolume", "ModifyVolume")
def volume_settles(request, output):
    seconds = STATE.settle.get(request.operation, 0)
    if seconds > 0:
        state = {"CreateVolume": "creating", "AttachVolume": "attaching", "ModifyVolume": "modifying"}[request.operation]
        identity = request.params.get("VolumeId") or output()["VolumeId"]
        STATE.young[(state, identity)] = time.time() + seconds


@edit("ec2", "DescribeVolumes", when=lambda r: STATE.young)
def volume_states(request, output):
    for volume in output["Volumes"]:
        if STATE.is_young(("creating", volume["VolumeId"])):
            volume["State"] = "creating"
        if STATE.is_young(("attaching", volume["VolumeId"])):
            for attachment in volume["Attachments"]:
                attachment["State"] = "attaching"


@edit("ec2", "DescribeVolumesModifications", "ModifyVolume", when=lambda r: STATE.young)
def modification_states(request, output):
    for modification in output.get("VolumesModifications", [output.get("VolumeModification", {})]):
        if STATE.is_young(("modifying", modification.get("VolumeId"))):
            modification["ModificationState"], modification["Progress"] = "modifying", 0
            modification.pop("EndTime", None)


# ---- machines


@own("ec2", "DescribeInstanceTypes")
def instance_types_that_moto_lacks(request):
    named = request.params.get("InstanceTypes", [])
    lacking = [n for n in named if n in machines.EXTRA]
    if not lacking:
        return None
    unknown = [n for n in named if not machines.describe(n)]
    if unknown:
        raise Refused("InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]")
    rest = [INSTANCE_TYPES[n] for n in named if n not in machines.EXTRA]
    return {"InstanceTypes": [machines.EXTRA[n] for n in lacking] + [machines.as_output(r) for r in rest]}


@edit("ec2", "DescribeInstanceTypeOfferings", when=lambda r: machines.offers_differ(r))
def offers(request, output):
    """moto's list with the machines that it lacks, and with what a test has set."""
    output["InstanceTypeOfferings"] = machines.offerings(request, output["InstanceTypeOfferings"])
