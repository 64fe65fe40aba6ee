"""The simulator itself: every operation that the provider uses, called by boto3, must pass without a violation; what a wrong client sends
must not; and the faults, the delays and AWS's refusals must be there."""
import base64
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}]})


class Front:
    def __init__(self, directory):
        self.directory, self.process = directory, None
        self.start()

    def start(self):
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-m", "tests.sim.aws", "--port-file", str(port_file)], cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def control(self, name, value=None, method=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{name}", data=data, method=method or ("GET" if value is None else "POST"))
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def rule(self, **rule):
        self.control("rules", [rule])

    def client(self, service, region="us-east-1", key="test", secret="test", **options):
        config = {"retries": {"max_attempts": 0}, "s3": {"addressing_style": "path"}, **options.pop("config", {})}
        return boto3.client(service, endpoint_url=self.url, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret,
                            config=Config(**config), **options)

    def violations(self):
        return self.control("violations")


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("sim"))
    yield front
    front.process.kill()


@pytest.fixture
def front(process):
    """The front with an empty account."""
    if process.process.poll() is not None:
        process.start()
    process.control("reset", {})
    return process


@pytest.fixture
def clean(front):
    """As front; after the test there may be no violation."""
    yield front
    assert front.violations() == []


def refused(function, **arguments):
    """The code of the error that a call gives."""
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    return caught.value.response["Error"]["Code"]


class Node:
    """A network and an instance in it, by boto3."""

    def __init__(self, front, zone="us-east-1a", kind="g5.xlarge", run=True):
        self.ec2, self.iam, self.front = front.client("ec2"), front.client("iam"), front
        ec2 = self.ec2
        tags = [{"Key": "Name", "Value": "node"}]
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        self.igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.igw, VpcId=self.vpc)
        self.eip = ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.nat = ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=self.eip, ClientToken="nat")["NatGateway"]["NatGatewayId"]
        self.table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=self.nat)
        self.association = ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)["AssociationId"]
        self.group = ec2.create_security_group(GroupName="node", Description="node", VpcId=self.vpc)["GroupId"]
        self.iam.create_role(RoleName="node", AssumeRolePolicyDocument=TRUST)
        self.iam.create_instance_profile(InstanceProfileName="node")
        self.iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
        self.image = front.client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"]
        self.instance = self.run(InstanceType=kind)["Instances"][0]["InstanceId"] if run else None

    def run(self, **changes):
        return self.ec2.run_instances(**{
            "ImageId": self.image, "InstanceType": "g5.xlarge", "MinCount": 1, "MaxCount": 1, "SubnetId": self.subnet,
            "SecurityGroupIds": [self.group], "IamInstanceProfile": {"Name": "node"}, "UserData": "#!/bin/sh\n", "ClientToken": "run",
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"},
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}}],
            "TagSpecifications": [{"ResourceType": k, "Tags": [{"Key": "a", "Value": "b"}]} for k in ("instance", "volume")], **changes})

    def volume(self, zone="us-east-1a", token="volume"):
        return self.ec2.create_volume(AvailabilityZone=zone, Size=50, VolumeType="gp3", Encrypted=True, ClientToken=token)["VolumeId"]

    def state(self, instance=None):
        return self.ec2.describe_instances(InstanceIds=[instance or self.instance])["Reservations"][0]["Instances"][0]["State"]["Name"]

    def nat_state(self):
        [gateway] = self.ec2.describe_nat_gateways(NatGatewayIds=[self.nat])["NatGateways"]
        return gateway["State"]


# ---- operations


def test_network_life(clean):
    node = Node(clean)
    ec2 = node.ec2
    assert node.nat_state() == "available" and node.state() == "running"
    assert ec2.describe_vpc_attribute(VpcId=node.vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    for describe in (ec2.describe_vpcs, ec2.describe_subnets, ec2.describe_internet_gateways, ec2.describe_addresses, ec2.describe_route_tables,
                     ec2.describe_security_groups, ec2.describe_security_group_rules, ec2.describe_availability_zones, ec2.describe_tags,
                     ec2.describe_network_interfaces, ec2.describe_account_attributes):
        describe(Filters=[]) if describe != ec2.describe_account_attributes else describe()
    words = [{"Name": "description", "Values": [f"Interface for NAT Gateway {node.nat}"]}]
    assert [i["InterfaceType"] for i in ec2.describe_network_interfaces(Filters=words)["NetworkInterfaces"]] == ["nat_gateway"]
    other = ec2.create_route_table(VpcId=node.vpc)["RouteTable"]["RouteTableId"]
    node.association = ec2.replace_route_table_association(AssociationId=node.association, RouteTableId=other)["NewAssociationId"]
    ec2.create_route(RouteTableId=other, DestinationCidrBlock="0.0.0.0/0", GatewayId=node.igw)
    ec2.replace_route(RouteTableId=other, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=node.nat)
    ec2.authorize_security_group_ingress(GroupId=node.group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 11434, "ToPort": 11434, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "d"}]}])
    [rule] = [r for r in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [node.group]}])["SecurityGroupRules"] if not r["IsEgress"]]
    ec2.modify_security_group_rules(GroupId=node.group, SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8000, "CidrIpv4": "10.0.0.0/8"}}])
    ec2.revoke_security_group_ingress(GroupId=node.group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    ec2.create_tags(Resources=[node.vpc, node.subnet, node.nat, node.eip, node.instance], Tags=[{"Key": "owner", "Value": "x"}])
    ec2.delete_tags(Resources=[node.vpc], Tags=[{"Key": "owner"}])
    ec2.terminate_instances(InstanceIds=[node.instance])
    ec2.delete_nat_gateway(NatGatewayId=node.nat)
    assert node.nat_state() == "deleted" and node.state() == "terminated"
    assert [r["State"] for t in ec2.describe_route_tables(RouteTableIds=[other])["RouteTables"] for r in t["Routes"] if "NatGatewayId" in r] == ["blackhole"]
    ec2.release_address(AllocationId=node.eip)
    ec2.disassociate_route_table(AssociationId=node.association)
    for table in (other, node.table):
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
        ec2.delete_route_table(RouteTableId=table)
    ec2.delete_security_group(GroupId=node.group)
    ec2.delete_subnet(SubnetId=node.subnet)
    ec2.detach_internet_gateway(InternetGatewayId=node.igw, VpcId=node.vpc)
    ec2.delete_internet_gateway(InternetGatewayId=node.igw)
    ec2.delete_vpc(VpcId=node.vpc)


def test_instance_life(clean):
    node = Node(clean)
    ec2 = node.ec2
    [instance] = ec2.describe_instances(InstanceIds=[node.instance])["Reservations"][0]["Instances"]
    assert instance["MetadataOptions"]["HttpTokens"] == "required" and instance["SubnetId"] == node.subnet and instance["PrivateIpAddress"]
    assert ec2.describe_instance_status(InstanceIds=[node.instance])["InstanceStatuses"][0]["InstanceState"]["Name"] == "running"
    assert "Output" in ec2.get_console_output(InstanceId=node.instance, Latest=True)
    ec2.modify_instance_metadata_options(InstanceId=node.instance, HttpTokens="required", HttpPutResponseHopLimit=2)
    volume = node.volume()
    ec2.attach_volume(VolumeId=volume, InstanceId=node.instance, Device="/dev/sdf")
    assert ec2.modify_volume(VolumeId=volume, Size=80)["VolumeModification"]["TargetSize"] == 80
    assert ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "completed"
    ec2.modify_instance_attribute(InstanceId=node.instance, Groups=[node.group])
    ec2.stop_instances(InstanceIds=[node.instance])
    ec2.modify_instance_attribute(InstanceId=node.instance, InstanceType={"Value": "g5.2xlarge"})
    ec2.start_instances(InstanceIds=[node.instance])
    [instance] = ec2.describe_instances(InstanceIds=[node.instance])["Reservations"][0]["Instances"]
    assert (instance["InstanceType"], instance["State"]["Name"]) == ("g5.2xlarge", "running")
    ec2.detach_volume(VolumeId=volume)
    ec2.attach_volume(VolumeId=volume, InstanceId=node.instance, Device="/dev/sdf")
    ec2.terminate_instances(InstanceIds=[node.instance])
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available", "a volume that stays is detached"
    ec2.delete_volume(VolumeId=volume)


def test_iam_life(clean):
    iam = clean.client("iam")
    tags = [{"Key": "a", "Value": "b"}]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Description="d", Tags=tags, MaxSessionDuration=3600)
    iam.update_role(RoleName="r", Description="e")
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=TRUST)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=POLICY)
    assert iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"] and iam.list_role_policies(RoleName="r")["PolicyNames"] == ["p"]
    iam.tag_role(RoleName="r", Tags=tags)
    iam.untag_role(RoleName="r", TagKeys=["a"])
    iam.create_instance_profile(InstanceProfileName="p", Tags=tags)
    iam.tag_instance_profile(InstanceProfileName="p", Tags=tags)
    iam.untag_instance_profile(InstanceProfileName="p", TagKeys=["a"])
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    assert iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"][0]["RoleName"] == "r"
    assert refused(iam.delete_role, RoleName="r") == "DeleteConflict"
    assert iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"] and iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.delete_instance_profile(InstanceProfileName="p")
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.delete_role(RoleName="r")
    assert refused(iam.get_role, RoleName="r") == "NoSuchEntity"


def test_secrets(clean):
    secrets = clean.client("secretsmanager")
    made = secrets.create_secret(Name="s", SecretString="one", ClientRequestToken="a" * 32, Tags=[{"Key": "a", "Value": "b"}])
    assert secrets.create_secret(Name="s", SecretString="one", ClientRequestToken="a" * 32)["ARN"] == made["ARN"], "the same token again"
    assert refused(secrets.create_secret, Name="s", SecretString="two", ClientRequestToken="b" * 32) == "ResourceExistsException"
    secrets.put_secret_value(SecretId=made["ARN"], SecretString="two", ClientRequestToken="c" * 32)
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "two"
    secrets.update_secret(SecretId="s", Description="d")
    secrets.tag_resource(SecretId="s", Tags=[{"Key": "c", "Value": "d"}])
    secrets.untag_resource(SecretId="s", TagKeys=["c"])
    assert secrets.describe_secret(SecretId="s")["Description"] == "d" and secrets.list_secrets()["SecretList"]
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    assert refused(secrets.create_secret, Name="s", SecretString="x") == "InvalidRequestException"
    secrets.restore_secret(SecretId="s")
    secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    assert refused(secrets.describe_secret, SecretId="s") == "ResourceNotFoundException"


def test_a_secret_deleted_by_force_keeps_its_name_for_a_while(clean):
    secrets = clean.client("secretsmanager")
    clean.control("settle", {"DeleteSecret": 1})
    secrets.create_secret(Name="s", SecretString="one")
    secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    assert refused(secrets.create_secret, Name="s", SecretString="two") == "InvalidRequestException"
    time.sleep(1.1)
    secrets.create_secret(Name="s", SecretString="two")


def test_logs(clean):
    logs = clean.client("logs")
    logs.create_log_group(logGroupName="/llm/x", tags={"a": "b"})
    logs.put_retention_policy(logGroupName="/llm/x", retentionInDays=30)
    assert refused(logs.put_retention_policy, logGroupName="/llm/x", retentionInDays=31) == "InvalidParameterException"
    [group] = logs.describe_log_groups(logGroupNamePrefix="/llm/")["logGroups"]
    arn = group["arn"].removesuffix(":*")
    logs.tag_resource(resourceArn=arn, tags={"c": "d"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b", "c": "d"}
    logs.untag_resource(resourceArn=arn, tagKeys=["c"])
    logs.create_log_stream(logGroupName="/llm/x", logStreamName="s")
    logs.put_log_events(logGroupName="/llm/x", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "m"}])
    logs.delete_retention_policy(logGroupName="/llm/x")
    logs.delete_log_group(logGroupName="/llm/x")


def test_quotas(clean):
    quotas = clean.client("service-quotas")
    listed = {q["QuotaCode"]: q["Value"] for q in quotas.list_service_quotas(ServiceCode="ec2")["Quotas"]}
    assert {"L-DB2E81BA", "L-3819A6DF", "L-417A185B", "L-7212CCBC", "L-C4BD4855"} <= set(listed)
    clean.control("quotas", {"L-DB2E81BA": 8})
    assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]["Value"] == 8
    assert quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]["Value"] == 0
    assert quotas.list_aws_default_service_quotas(ServiceCode="ec2")["Quotas"]
    assert quotas.request_service_quota_increase(ServiceCode="ec2", QuotaCode="L-DB2E81BA", DesiredValue=64)["RequestedQuota"]["Status"] == "PENDING"
    assert refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-00000000") == "NoSuchResourceException"


def test_quota_limits_what_runs(clean):
    node = Node(clean)
    clean.control("quotas", {"L-DB2E81BA": 8, "L-3819A6DF": 4})
    assert node.run(ClientToken="2")["Instances"], "4 + 4 vCPUs"
    assert refused(node.run, ClientToken="3") == "VcpuLimitExceeded"
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    assert node.run(ClientToken="4", **spot)["Instances"], "spot has its own quota"
    assert refused(node.run, ClientToken="5", **spot) == "MaxSpotInstanceCountExceeded"


def test_deep_learning_image(clean):
    ssm, ec2 = clean.client("ssm"), clean.client("ec2")
    image = ssm.get_parameter(Name=IMAGE)["Parameter"]["Value"]
    [found] = ec2.describe_images(ImageIds=[image])["Images"]
    assert found["OwnerId"] != "123456789012" and found["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 65
    assert found["State"] == "available" and found["Architecture"] == "x86_64" and found["Public"]
    answer = ssm.get_parameters(Names=[IMAGE, "/none"])
    assert answer["Parameters"][0]["Value"] == image and answer["InvalidParameters"] == ["/none"]
    assert refused(ssm.get_parameter, Name="/aws/service/deeplearning/ami/x86_64/no-such/latest/ami-id") == "ParameterNotFound"
    ssm.put_parameter(Name="/mine", Value="v", Type="String")
    assert ssm.get_parameter(Name="/mine")["Parameter"]["Value"] == "v", "all other parameters are moto's"
    assert clean.client("ssm", region="eu-west-1").get_parameter(Name=IMAGE)["Parameter"]["Value"] != image


@pytest.mark.parametrize("kind", "g4dn.xlarge g5.48xlarge g6.xlarge g6e.xlarge gr6.4xlarge p3.2xlarge p3.16xlarge p4d.24xlarge p4de.24xlarge p5.48xlarge "
                         "p5e.48xlarge p5en.48xlarge".split())
def test_gpu_machines_are_known(clean, kind):
    [found] = clean.client("ec2").describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]
    assert found["GpuInfo"]["Gpus"][0]["Manufacturer"] == "NVIDIA"


def test_offerings(clean):
    ec2 = clean.client("ec2")

    def places(kind):
        answer = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [kind]}])
        return sorted(o["Location"] for o in answer["InstanceTypeOfferings"])

    assert "us-east-1a" in places("g5.xlarge") and "us-east-1e" not in places("g5.xlarge")
    assert "us-east-1c" in places("p3.2xlarge")
    clean.control("offers", {"g5.xlarge": ["us-east-1b"]})
    assert places("g5.xlarge") == ["us-east-1b"]
    assert refused(Node(clean, run=False).run, InstanceType="g5.xlarge") == "Unsupported"


def test_sts(clean):
    sts = clean.client("sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    given = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session", DurationSeconds=900)["Credentials"]
    assumed = clean.client("sts", key=given["AccessKeyId"], secret=given["SecretAccessKey"], aws_session_token=given["SessionToken"])
    assert ":assumed-role/r/session" in assumed.get_caller_identity()["Arn"]
    given = clean.client("sts", config={"signature_version": UNSIGNED}).assume_role_with_web_identity(
        RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session", WebIdentityToken="a.b.c")["Credentials"]
    clean.client("ec2", key=given["AccessKeyId"], secret=given["SecretAccessKey"], aws_session_token=given["SessionToken"]).describe_vpcs()


def test_s3(clean):
    s3 = clean.client("s3")
    s3.create_bucket(Bucket="cache")
    s3.put_bucket_versioning(Bucket="cache", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="cache", Key="models/a b/ü+&=.bin", Body=b"data", ContentType="application/octet-stream", Metadata={"k": "v"})
    assert s3.get_object(Bucket="cache", Key="models/a b/ü+&=.bin")["Body"].read() == b"data"
    assert s3.head_object(Bucket="cache", Key="models/a b/ü+&=.bin")["Metadata"] == {"k": "v"}
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="cache", Prefix="models/")["Contents"]] == ["models/a b/ü+&=.bin"]
    s3.put_bucket_tagging(Bucket="cache", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_public_access_block(Bucket="cache", PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True})
    s3.delete_objects(Bucket="cache", Delete={"Objects": [{"Key": "models/a b/ü+&=.bin"}]})
    assert refused(s3.head_bucket, Bucket="none") == "404" and refused(s3.get_object, Bucket="cache", Key="none") == "NoSuchKey"
    assert {"CreateBucket", "PutObject", "GetObject", "ListObjectsV2", "DeleteObjects", "HeadBucket"} <= {c["operation"] for c in clean.control("calls")}


def test_rest_json(clean):
    efs = clean.client("efs")
    made = efs.create_file_system(CreationToken="t", Encrypted=True, Tags=[{"Key": "a", "Value": "b"}])
    efs.describe_file_systems(FileSystemId=made["FileSystemId"])
    efs.delete_file_system(FileSystemId=made["FileSystemId"])
    assert [c["operation"] for c in clean.control("calls")] == ["CreateFileSystem", "DescribeFileSystems", "DeleteFileSystem"]


# ---- what AWS refuses


def test_order_of_deletion(clean):
    node = Node(clean)
    ec2 = node.ec2
    assert refused(ec2.delete_subnet, SubnetId=node.subnet) == "DependencyViolation"
    assert refused(ec2.detach_internet_gateway, InternetGatewayId=node.igw, VpcId=node.vpc) == "DependencyViolation"
    assert refused(ec2.delete_internet_gateway, InternetGatewayId=node.igw) == "DependencyViolation"
    assert refused(ec2.release_address, AllocationId=node.eip) == "InvalidIPAddress.InUse"
    assert refused(ec2.delete_security_group, GroupId=node.group) == "DependencyViolation"
    assert refused(ec2.delete_route_table, RouteTableId=node.table) == "DependencyViolation"
    assert refused(ec2.delete_vpc, VpcId=node.vpc) == "DependencyViolation"


def test_what_run_instances_refuses(clean):
    node = Node(clean)
    node.iam.create_instance_profile(InstanceProfileName="empty")
    other = node.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    foreign = node.ec2.create_security_group(GroupName="x", Description="x", VpcId=other)["GroupId"]
    cases = [
        (dict(InstanceType="g99.xlarge"), "InvalidParameterValue"), (dict(ImageId="ami-12345678"), "InvalidAMIID.NotFound"),
        (dict(IamInstanceProfile={"Name": "none"}), "InvalidParameterValue"), (dict(IamInstanceProfile={"Name": "empty"}), "InvalidParameterValue"),
        (dict(UserData="x" * 16385), "InvalidParameterValue"), (dict(SecurityGroupIds=[foreign]), "InvalidParameter"),
        (dict(SubnetId="subnet-00000000"), "InvalidSubnetID.NotFound"), (dict(InstanceType="p4de.24xlarge"), "Unsupported"),
        (dict(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}]), "InvalidBlockDeviceMapping"),
        (dict(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "aws:x", "Value": "y"}]}]), "InvalidParameterValue"),
        (dict(ClientToken="dry", DryRun=True), "DryRunOperation"), (dict(InstanceType="g5.2xlarge", ClientToken="run"), "IdempotentParameterMismatch"),
    ]
    for number, (changes, code) in enumerate(cases):
        assert refused(node.run, **{"ClientToken": f"case-{number}", **changes}) == code, changes
    assert node.run()["Instances"][0]["InstanceId"] == node.instance, "the same token is the same instance"


def test_what_instances_and_volumes_refuse(clean):
    node = Node(clean)
    ec2 = node.ec2
    volume, elsewhere = node.volume(), node.volume("us-east-1b", "elsewhere")
    assert refused(ec2.attach_volume, VolumeId=elsewhere, InstanceId=node.instance, Device="/dev/sdf") == "InvalidVolume.ZoneMismatch"
    ec2.attach_volume(VolumeId=volume, InstanceId=node.instance, Device="/dev/sdf")
    assert refused(ec2.attach_volume, VolumeId=volume, InstanceId=node.instance, Device="/dev/sdg") == "VolumeInUse"
    assert refused(ec2.attach_volume, VolumeId=node.volume(token="third"), InstanceId=node.instance, Device="/dev/sdf") == "InvalidParameterValue"
    assert refused(ec2.delete_volume, VolumeId=volume) == "VolumeInUse"
    assert refused(ec2.modify_volume, VolumeId=volume, Size=10) == "InvalidParameterValue"
    assert refused(ec2.modify_instance_attribute, InstanceId=node.instance, InstanceType={"Value": "g5.2xlarge"}) == "IncorrectInstanceState"
    assert refused(ec2.create_tags, Resources=["i-00000000000000000"], Tags=[{"Key": "a", "Value": "b"}]) == "InvalidInstanceID.NotFound"
    assert refused(ec2.associate_route_table, RouteTableId=node.table, SubnetId=node.subnet) == "Resource.AlreadyAssociated"
    assert refused(ec2.describe_nat_gateways, NatGatewayIds=["nat-00000000000000000"]) == "NatGatewayNotFound"


def test_nat_gateway_without_a_way_out_fails(clean):
    ec2 = clean.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])["NatGateway"]["NatGatewayId"]
    [gateway] = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"]
    assert (gateway["State"], gateway["FailureCode"]) == ("failed", "Gateway.NotAttached")


def test_nat_gateway_without_its_address_leaves_nothing(clean):
    ec2 = clean.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    assert refused(ec2.create_nat_gateway, SubnetId=subnet, AllocationId="eipalloc-00000000000000000") == "InvalidAllocationID.NotFound"
    assert not ec2.describe_nat_gateways()["NatGateways"]
    ec2.delete_subnet(SubnetId=subnet)


# ---- states that take their time


def test_settling(clean):
    clean.control("settle", {"CreateNatGateway": 1, "DeleteNatGateway": 1, "RunInstances": 1, "StopInstances": 1, "StartInstances": 1, "TerminateInstances": 1})
    node = Node(clean)
    ec2 = node.ec2
    assert (node.nat_state(), node.state()) == ("pending", "pending")
    assert refused(ec2.attach_volume, VolumeId=node.volume(), InstanceId=node.instance, Device="/dev/sdf") == "IncorrectState"
    assert refused(ec2.stop_instances, InstanceIds=[node.instance]) == "IncorrectInstanceState"
    time.sleep(1.1)
    assert (node.nat_state(), node.state()) == ("available", "running")
    ec2.stop_instances(InstanceIds=[node.instance])
    assert node.state() == "stopping"
    assert refused(ec2.start_instances, InstanceIds=[node.instance]) == "IncorrectInstanceState"
    time.sleep(1.1)
    assert node.state() == "stopped"
    ec2.start_instances(InstanceIds=[node.instance])
    assert node.state() == "pending"
    ec2.terminate_instances(InstanceIds=[node.instance])
    ec2.delete_nat_gateway(NatGatewayId=node.nat)
    assert (node.nat_state(), node.state()) == ("deleting", "shutting-down")
    assert refused(ec2.delete_subnet, SubnetId=node.subnet) == "DependencyViolation"
    assert refused(ec2.delete_security_group, GroupId=node.group) == "DependencyViolation"
    assert refused(ec2.release_address, AllocationId=node.eip) == "InvalidIPAddress.InUse"
    time.sleep(1.1)
    assert (node.nat_state(), node.state()) == ("deleted", "terminated")
    ec2.release_address(AllocationId=node.eip)
    ec2.delete_security_group(GroupId=node.group)


def test_volumes_settle(clean):
    clean.control("settle", {"CreateVolume": 60, "AttachVolume": 60, "ModifyVolume": 60})
    node = Node(clean)
    volume = node.volume()

    def state():
        [found] = node.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return found["State"], [a["State"] for a in found["Attachments"]]

    assert state() == ("creating", [])
    clean.control("finish", {})
    node.ec2.attach_volume(VolumeId=volume, InstanceId=node.instance, Device="/dev/sdf")
    assert state() == ("in-use", ["attaching"])
    assert node.ec2.modify_volume(VolumeId=volume, Size=60)["VolumeModification"]["ModificationState"] == "modifying"
    assert refused(node.ec2.modify_volume, VolumeId=volume, Size=70) == "IncorrectModificationState"
    clean.control("finish", {})
    assert state() == ("in-use", ["attached"])
    assert node.ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]["ModificationState"] == "completed"


def test_instance_profile_spreads(clean):
    clean.control("settle", {"AddRoleToInstanceProfile": 1})
    node = Node(clean, run=False)
    assert refused(node.run) == "InvalidParameterValue"
    time.sleep(1.1)
    assert node.run()["Instances"]


def test_new_objects_are_not_known_everywhere(clean):
    clean.control("visible", {"CreateVpc": 1})
    ec2 = clean.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert refused(ec2.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/24") == "InvalidVpcID.NotFound"
    assert vpc not in [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]]
    time.sleep(1.1)
    assert vpc in [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")


def test_pages(clean):
    ec2, iam = clean.client("ec2"), clean.client("iam")
    made = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(3)]
    for n in range(3):
        iam.create_role(RoleName=f"r{n}", AssumeRolePolicyDocument=TRUST)
    clean.control("settings", {"page_size": 2})
    first = ec2.describe_vpcs()
    assert len(first["Vpcs"]) == 2 and first["NextToken"]
    listed = [v["VpcId"] for page in ec2.get_paginator("describe_vpcs").paginate() for v in page["Vpcs"]]
    assert set(made) <= set(listed) and len(listed) == len(set(listed))
    assert len([r for page in iam.get_paginator("list_roles").paginate() for r in page["Roles"]]) == 3


# ---- rules


def test_failures_in_the_protocols_shape(clean):
    for service, call in {"ec2": lambda c: c.describe_vpcs(), "iam": lambda c: c.list_roles(), "secretsmanager": lambda c: c.list_secrets(),
                          "s3": lambda c: c.list_buckets(), "efs": lambda c: c.describe_file_systems()}.items():
        clean.rule(service=service, error={"code": "SomeError", "message": "<it> & \"so\"", "status": 418})
        with pytest.raises(ClientError) as caught:
            call(clean.client(service))
        response = caught.value.response
        assert (response["Error"]["Code"], response["Error"]["Message"]) == ("SomeError", "<it> & \"so\""), service
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 418
        call(clean.client(service))


def test_no_capacity_in_one_zone(clean):
    node = Node(clean, run=False)
    clean.rule(operation="RunInstances", match={"AvailabilityZone": "us-east-1a", "InstanceType": ["g5.xlarge", "g6.xlarge"]}, times=-1, error={"code": "InsufficientInstanceCapacity"})
    with pytest.raises(ClientError) as caught:
        node.run()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500, "AWS gives it with 500"
    node.run(InstanceType="g5.2xlarge", ClientToken="2")
    subnet = node.ec2.create_subnet(VpcId=node.vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    node.run(SubnetId=subnet, ClientToken="3")


def test_rules_count(clean):
    ec2 = clean.client("ec2")
    clean.rule(operation="Describe*", skip=1, times=2, error={"code": "X"})
    results = []
    for _ in range(4):
        try:
            ec2.describe_vpcs()
            results.append(True)
        except ClientError:
            results.append(False)
    assert results == [True, False, False, True]
    clean.rule(operation="DescribeVpcs", for_s=0.3, error={"code": "X"})
    assert refused(ec2.describe_vpcs) == "X" and refused(ec2.describe_vpcs) == "X"
    time.sleep(0.4)
    ec2.describe_vpcs()


def test_throttling(clean):
    ec2 = clean.client("ec2")
    clean.rule(operation="DescribeVpcs", rate={"per_s": 1, "burst": 2})
    ec2.describe_vpcs()
    ec2.describe_vpcs()
    assert refused(ec2.describe_vpcs) == "RequestLimitExceeded"


def test_delay_and_concurrency(clean):
    clean.rule(operation="DescribeVpcs", delay_ms=1000, times=-1)
    threads = [threading.Thread(target=client.describe_vpcs) for client in [clean.client("ec2") for _ in range(4)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = clean.control("calls")
    assert all(c["end"] - c["start"] >= 1 for c in calls)
    assert max(c["running"] for c in calls) >= 3, "delays run side by side"


def test_changed_answers(clean):
    node = Node(clean)
    clean.rule(operation="DescribeNatGateways", set={"NatGateways.*.State": "pending"}, times=2)
    assert [node.nat_state() for _ in range(3)] == ["pending", "pending", "available"]
    clean.rule(operation="DescribeNatGateways", rewrite=["<state>available</state>", "<state>deleting</state>"])
    assert node.nat_state() == "deleting"


def raw_call(front):
    """Bytes of an answer, by a signed request without botocore's parser."""
    request = AWSRequest("POST", front.url + "/", data=b"Action=DescribeVpcs&Version=2016-11-15", headers={"content-type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials("test", "test"), "ec2", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=60)
    connection.request("POST", "/", body=request.data, headers=dict(request.headers))
    return connection.getresponse()


def test_raw_answers_and_dropped_connections(clean):
    clean.rule(raw={"status": 200, "type": "text/html", "body": "<html>", "repeat": 2})
    answer = raw_call(clean)
    assert (answer.status, answer.read()) == (200, b"<html><html>")
    clean.rule(raw={"body": "<a", "cut": True})
    with pytest.raises(http.client.IncompleteRead):
        raw_call(clean).read()
    clean.rule(raw={"body": "x" * 100000, "endless": True})
    assert len(raw_call(clean).read(5000000)) == 5000000
    clean.rule(drop="before")
    with pytest.raises((http.client.HTTPException, OSError)):
        raw_call(clean)
    assert raw_call(clean).status == 200


def test_refused_connections(clean):
    """For a while nobody listens at the port; then the same server does."""
    clean.rule(operation="DescribeVpcs", drop="before", refuse_s=0.4)
    ec2 = clean.client("ec2")
    with pytest.raises(ConnectionClosedError):
        ec2.describe_vpcs()
    with pytest.raises(EndpointConnectionError):
        ec2.describe_vpcs()
    time.sleep(0.5)
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1


def test_half_a_request_is_none(clean):
    """Of a client that was killed."""
    with socket.create_connection(("127.0.0.1", clean.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: ec2.us-east-1.amazonaws.com\r\nContent-Length: 500\r\n\r\nAction=Describe")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert clean.control("violations") == [] and clean.control("calls") == []


def test_dropped_after_the_effect(clean):
    ec2 = clean.client("ec2")
    before = len(ec2.describe_vpcs()["Vpcs"])
    clean.rule(operation="CreateVpc", drop="after")
    with pytest.raises(Exception):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == before + 1


def test_clock(front):
    front.control("clock", {"offset_s": 1200})
    assert refused(front.client("sts").get_caller_identity) == "SignatureDoesNotMatch"
    assert refused(front.client("ec2").describe_vpcs) == "RequestExpired"
    assert refused(front.client("secretsmanager").list_secrets) == "InvalidSignatureException"
    assert raw_call(front).headers["date"]
    assert front.violations() == [], "a wrong clock is no fault of the client"


def test_tags_set_from_outside(clean):
    node = Node(clean)
    before = len(clean.control("calls"))
    clean.control("tags", {"resource": node.instance, "tags": {"llm:status": "serving"}})
    assert len(clean.control("calls")) == before
    assert {"Key": "llm:status", "Value": "serving"} in node.ec2.describe_instances(InstanceIds=[node.instance])["Reservations"][0]["Instances"][0]["Tags"]


def test_kill(front):
    front.rule(operation="CreateVpc", kill="after")
    with pytest.raises(Exception):
        front.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    assert front.process.wait(60) == 9


# ---- wrong requests


def signed(front, service, body, headers, region="us-east-1", secret="test", change=None, path="/"):
    request = AWSRequest("POST", front.url + path, data=body.encode(), headers=headers)
    SigV4Auth(Credentials("test", secret), service, region).add_auth(request)
    sent = dict(request.headers)
    (change or (lambda h: None))(sent)
    try:
        with urllib.request.urlopen(urllib.request.Request(front.url + path, data=body.encode(), headers=sent)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("form, says", {
    "Action=DescribeVpcs&Version=2016-11-15&Nothing=1": "unknown parameters",
    "Action=DescribeVpcs&Version=2016-11-15&VpcId.2=vpc-1": "unknown parameters, or bad list indices",
    "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-1&VpcId.3=vpc-2": "VpcId.3",
    "Action=DescribeVpcs&Version=2016-11-15&MaxResults=many": "no integer",
    "Action=DescribeVpcs&Version=2016-11-15&DryRun=yes": "no boolean",
    "Action=CreateSubnet&Version=2016-11-15&CidrBlock=10.0.0.0%2F24": "Missing required parameter",
    "Action=NoSuchThing&Version=2016-11-15": "has no operation",
    "Action=DescribeVpcs&Version=2011-01-01": "version",
    "Action=DescribeVpcs&Version=2016-11-15&MaxResults=5&MaxResults=6": "given twice",
    "Action=DescribeVpcs&Version=2016-11-15&MaxResults=2": "min value: 5",
}.items())
def test_wrong_forms_are_violations(front, form, says):
    assert signed(front, "ec2", form, FORM) == 400
    assert len(front.violations()) == 1 and says in front.violations()[0], front.violations()


@pytest.mark.parametrize("service, target, body, says", [
    ("secretsmanager", "secretsmanager.DescribeSecret", {"SecretId": "x", "Other": 1}, 'Unknown parameter in input: "Other"'),
    ("secretsmanager", "secretsmanager.DescribeSecret", {"SecretId": 5}, "Invalid type for parameter SecretId"),
    ("secretsmanager", "secretsmanager.CreateSecret", {"Name": "x", "SecretString": "y"}, "ClientRequestToken is needed"),
    ("secretsmanager", "secretsmanager.DescribeSecret", {"SecretId": None}, "null"),
    ("secretsmanager", "secretsmanager.CreateSecret", {"Name": "x" * 600, "ClientRequestToken": "a" * 32}, "more than 512"),
    ("secretsmanager", "Other.DescribeSecret", {"SecretId": "x"}, "target prefix"),
    ("logs", "Logs_20140328.CreateLogGroup", {"logGroupName": "no spaces"}, "does not match"),
    ("logs", "Logs_20140328.PutRetentionPolicy", {"logGroupName": "x", "retentionInDays": True}, "no integer"),
])
def test_wrong_json_is_a_violation(front, service, target, body, says):
    assert signed(front, service, json.dumps(body), {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}) == 400
    assert len(front.violations()) == 1 and says in front.violations()[0], front.violations()


def test_wrong_iam_name_is_a_violation(front):
    signed(front, "iam", "Action=GetRole&Version=2010-05-08&RoleName=no%20spaces", FORM)
    assert "does not match" in front.violations()[0]


def test_enumerations_are_advice(front):
    signed(front, "ec2", "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16&InstanceTenancy=planet", FORM)
    assert "planet" in front.control("advice")[0] and front.violations() == []


def test_wrong_signatures(front):
    form = "Action=DescribeVpcs&Version=2016-11-15"
    assert signed(front, "ec2", form, FORM, secret="wrong") == 401
    assert signed(front, "ec2", form, FORM, change=lambda h: h.update({"X-Amz-Extra": "1"})) == 401
    assert signed(front, "ec2", form, FORM, change=lambda h: h.pop("Authorization")) == 403
    problems = front.violations()
    assert "the signature is not botocore's" in problems[0] and "must be signed" in problems[1] and "not signed" in problems[2]
    front.control("settings", {"check_signatures": False})
    assert signed(front, "ec2", form, FORM, secret="wrong") == 200


def test_unknown_and_expired_keys(front):
    assert refused(front.client("sts", key="AKIAUNKNOWN").get_caller_identity) == "InvalidClientTokenId"
    assert refused(front.client("ec2", key="AKIAUNKNOWN").describe_vpcs) == "AuthFailure"
    assert refused(front.client("secretsmanager", key="AKIAUNKNOWN").list_secrets) == "UnrecognizedClientException"
    front.control("keys", {"AKIAUNKNOWN": "secret"})
    front.client("sts", key="AKIAUNKNOWN", secret="secret").get_caller_identity()
    front.control("settings", {"issued_for_s": 0})
    given = front.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session")["Credentials"]
    expired = front.client("sts", key=given["AccessKeyId"], secret=given["SecretAccessKey"], aws_session_token=given["SessionToken"])
    assert refused(expired.get_caller_identity) == "ExpiredToken"
    assert front.violations() == []


# ---- where credentials come from


def by_botocore(front, tmp_path, **env):
    """Which key botocore itself finds and signs with, in a process of its own."""
    script = ("import boto3, botocore.config as c; s = boto3.client('sts', endpoint_url=%r, region_name='us-east-1'); "
              "s.get_caller_identity(); print(s._request_signer._credentials.access_key)" % front.url)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return subprocess.run([sys.executable, "-c", script], env={**clean, "HOME": str(tmp_path), **env}, capture_output=True, text=True, check=True).stdout.strip()


def test_instance_metadata(clean, tmp_path):
    assert by_botocore(clean, tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=clean.url + "/").startswith("ASIA")
    assert [c["operation"] for c in clean.control("calls")][:2] == ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/"]
    assert raises_status(clean.url + "/latest/meta-data/iam/security-credentials/") == 401, "version 2 only"


def raises_status(url):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    return caught.value.code


def test_container(clean, tmp_path):
    where = clean.url + "/v2/credentials/node"
    assert by_botocore(clean, tmp_path, AWS_CONTAINER_CREDENTIALS_FULL_URI=where, AWS_CONTAINER_AUTHORIZATION_TOKEN="container-token").startswith("ASIA")


def test_sso(clean):
    sso, oidc = (clean.client(s, config={"signature_version": UNSIGNED}) for s in ("sso", "sso-oidc"))
    given = sso.get_role_credentials(roleName="r", accountId="123456789012", accessToken="sso-token")["roleCredentials"]
    clean.client("sts", key=given["accessKeyId"], secret=given["secretAccessKey"], aws_session_token=given["sessionToken"]).get_caller_identity()
    assert refused(sso.get_role_credentials, roleName="r", accountId="123456789012", accessToken="other") == "UnauthorizedException"
    fresh = oidc.create_token(clientId="c", clientSecret="s", grantType="refresh_token", refreshToken="r")["accessToken"]
    assert sso.get_role_credentials(roleName="r", accountId="123456789012", accessToken=fresh)["roleCredentials"]


# ---- speed


def test_the_front_takes_little_time():
    """What identifying, validating and verifying one request takes: 5 ms or less."""
    from tests.sim import signature
    from tests.sim.model import Request
    from tests.sim.state import STATE
    body = (f"Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&InstanceType=g5.xlarge&MinCount=1&MaxCount=1&SubnetId=subnet-1&SecurityGroupId.1=sg-1"
            f"&UserData={base64.b64encode(b'x' * 6000).decode().replace('+', '%2B').replace('=', '%3D')}"
            "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b")
    request = AWSRequest("POST", "http://127.0.0.1:1/", data=body.encode(), headers={"content-type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials("test", "test"), "ec2", "us-east-1").add_auth(request)
    headers = {"host": "127.0.0.1:1", **{k.lower(): v for k, v in request.headers.items()}}
    times = []
    for _ in range(20):
        start = time.perf_counter()
        parsed = Request("POST", "/", "", headers, body.encode())
        signature.check(parsed)
        times.append(time.perf_counter() - start)
        assert parsed.violations == [] and parsed.operation == "RunInstances"
    assert STATE.violations == []
    assert sorted(times)[10] < 0.005, f"{sorted(times)[10] * 1000:.1f} ms"


def test_nat_gateways_by_their_tags(clean):
    ec2 = clean.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    made = {}
    for name in "ab":
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        made[name] = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=[
            {"ResourceType": "natgateway", "Tags": [{"Key": "of", "Value": name}]}])["NatGateway"]["NatGatewayId"]
    for name, nat in made.items():
        [found] = ec2.describe_nat_gateways(Filters=[{"Name": "tag:of", "Values": [name]}])["NatGateways"]
        assert found["NatGatewayId"] == nat


def test_tags_of_a_log_group_go_with_it(clean):
    logs = clean.client("logs")
    logs.create_log_group(logGroupName="/g", tags={"old": "1"})
    logs.delete_log_group(logGroupName="/g")
    logs.create_log_group(logGroupName="/g", tags={"new": "1"})
    [group] = logs.describe_log_groups()["logGroups"]
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"new": "1"}


def test_a_role_leaves_its_profile_once(clean):
    iam = clean.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="p")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    assert refused(iam.remove_role_from_instance_profile, InstanceProfileName="p", RoleName="r") == "NoSuchEntity"


def test_another_security_group_frees_the_first(clean):
    node = Node(clean)
    groups = [node.ec2.create_security_group(GroupName=n, Description=n, VpcId=node.vpc)["GroupId"] for n in "ab"]
    for group in groups:
        node.ec2.modify_instance_attribute(InstanceId=node.instance, Groups=[group])
    node.ec2.delete_security_group(GroupId=groups[0])
    assert refused(node.ec2.delete_security_group, GroupId=groups[1]) == "DependencyViolation"
