"""EKS in the simulator, by boto3."""
import base64
import json
import re
import time

import botocore.session
import pytest
from botocore.signers import RequestSigner

from tests.sim.test_sim import clean, front, process, refused  # noqa: F401

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


def trust(service, *actions):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service},
                                                               "Action": list(actions) or "sts:AssumeRole"}]})


class Platform:
    """Network, roles and a cluster."""

    def __init__(self, front, cluster=True, **options):
        self.front, self.eks, self.ec2, self.iam = front, front.client("eks"), front.client("ec2"), front.client("iam")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                        for i, z in enumerate("ab")]
        self.role = self.make_role("cluster", trust("eks.amazonaws.com"), "AmazonEKSClusterPolicy")
        self.node_role = self.make_role("nodes", trust("ec2.amazonaws.com"), "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy",
                                        "AmazonEC2ContainerRegistryReadOnly")
        if cluster:
            self.create(**options)

    def make_role(self, name, document, *policies):
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        for policy in policies:
            self.iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        return arn

    def create(self, **changes):
        return self.eks.create_cluster(**{
            "name": "c", "version": "1.33", "roleArn": self.role, "resourcesVpcConfig": {"subnetIds": self.subnets}, "tags": {"a": "b"},
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True}, **changes})["cluster"]

    def cluster(self):
        return self.eks.describe_cluster(name="c")["cluster"]

    def group(self, name="general", **changes):
        return self.eks.create_nodegroup(**{
            "clusterName": "c", "nodegroupName": name, "nodeRole": self.node_role, "subnets": self.subnets, "instanceTypes": ["m5.large"],
            "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 2}, "labels": {"pool": name}, **changes})["nodegroup"]

    def group_now(self, name="general"):
        return self.eks.describe_nodegroup(clusterName="c", nodegroupName=name)["nodegroup"]


def test_cluster_life(clean):
    p = Platform(clean, cluster=False)
    clean.control("settle", {"CreateCluster": 60, "DeleteCluster": 60})
    made = p.create()
    assert made["status"] == "CREATING" and "endpoint" not in made and made["tags"] == {"a": "b"}
    assert refused(p.create) == "ResourceInUseException"
    assert refused(p.group) == "InvalidRequestException", "the cluster is not there yet"
    assert refused(p.eks.delete_cluster, name="c") == "ResourceInUseException"
    clean.control("finish", {})
    cluster = p.cluster()
    assert cluster["status"] == "ACTIVE" and cluster["endpoint"].endswith(".us-east-1.eks.amazonaws.com") and cluster["version"] == "1.33"
    assert re.fullmatch(r"https://oidc\.eks\.us-east-1\.amazonaws\.com/id/[0-9A-F]{32}", cluster["identity"]["oidc"]["issuer"])
    group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    assert p.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["VpcId"] == p.vpc
    assert len(p.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["Amazon EKS c"]}])["NetworkInterfaces"]) == 2
    assert refused(p.ec2.delete_subnet, SubnetId=p.subnets[0]) == "DependencyViolation", "the control plane is in it"
    assert refused(p.ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    assert p.eks.list_clusters()["clusters"] == ["c"]
    assert p.eks.delete_cluster(name="c")["cluster"]["status"] == "DELETING"
    assert p.cluster()["status"] == "DELETING"
    clean.control("finish", {})
    assert refused(p.eks.describe_cluster, name="c") == "ResourceNotFoundException"
    for subnet in p.subnets:
        p.ec2.delete_subnet(SubnetId=subnet)
    p.ec2.delete_vpc(VpcId=p.vpc)


def test_a_cluster_that_is_refused(front):
    p = Platform(front, cluster=False)
    assert refused(p.create, version="1.10") == "InvalidParameterException"
    assert refused(p.create, roleArn=p.node_role) == "InvalidParameterException", "it trusts EC2, not EKS"
    assert refused(p.create, resourcesVpcConfig={"subnetIds": p.subnets[:1]}) == "InvalidParameterException"
    assert refused(p.create, resourcesVpcConfig={"subnetIds": [*p.subnets, "subnet-0123456789abcdef0"]}) == "InvalidParameterException"
    closed = {"subnetIds": p.subnets, "endpointPublicAccess": False, "endpointPrivateAccess": False}
    assert refused(p.create, resourcesVpcConfig=closed) == "InvalidParameterException"
    assert refused(p.create, resourcesVpcConfig={"subnetIds": p.subnets, "securityGroupIds": ["sg-0123456789abcdef0"]}) == "InvalidParameterException"
    assert p.eks.list_clusters()["clusters"] == []


def test_a_role_that_eks_does_not_know_yet(clean):
    clean.control("settle", {"CreateRole": 1})
    p = Platform(clean, cluster=False)
    assert refused(p.create) == "InvalidParameterException"
    time.sleep(1.1)
    assert p.create()["status"] == "CREATING" and p.cluster()["status"] == "ACTIVE"


def test_the_same_token_is_the_same_cluster(clean):
    p = Platform(clean, cluster=False)
    assert p.create(clientRequestToken="t")["arn"] == p.create(clientRequestToken="t")["arn"]
    assert refused(p.create, clientRequestToken="u") == "ResourceInUseException"


def test_a_cluster_that_fails(clean):
    p = Platform(clean, cluster=False)
    clean.control("failures", [{"operation": "CreateCluster", "code": "InsufficientFreeAddresses", "message": "no addresses", "times": 1}])
    p.create()
    assert p.cluster()["status"] == "FAILED" and p.cluster()["health"]["issues"][0]["code"] == "InsufficientFreeAddresses"
    p.eks.delete_cluster(name="c")
    p.create()
    assert p.cluster()["status"] == "ACTIVE", "it fails once"


def test_updates_of_a_cluster(clean):
    p = Platform(clean)
    eks = p.eks
    assert refused(eks.update_cluster_version, name="c", version="1.35") == "InvalidParameterException", "it skips one"
    assert refused(eks.update_cluster_version, name="c", version="1.33") == "InvalidParameterException"
    clean.control("settle", {"UpdateClusterVersion": 60})
    update = eks.update_cluster_version(name="c", version="1.34")["update"]
    assert (update["status"], update["type"]) == ("InProgress", "VersionUpdate") and p.cluster()["status"] == "UPDATING"
    logs = {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}
    assert refused(eks.update_cluster_config, name="c", logging=logs) == "ResourceInUseException"
    assert refused(eks.delete_cluster, name="c") == "ResourceInUseException"
    clean.control("finish", {})
    assert eks.describe_update(name="c", updateId=update["id"])["update"]["status"] == "Successful"
    assert (p.cluster()["status"], p.cluster()["version"]) == ("ACTIVE", "1.34")
    closed = {"endpointPrivateAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}
    closed["publicAccessCidrs"] = ["8.8.8.0/24"]
    assert refused(eks.update_cluster_config, name="c", logging=logs, resourcesVpcConfig=closed) == "InvalidParameterException"
    assert eks.update_cluster_config(name="c", logging=logs)["update"]["type"] == "LoggingUpdate"
    assert p.cluster()["logging"]["clusterLogging"][0] == {"types": ["api", "audit"], "enabled": True}
    assert refused(eks.update_cluster_config, name="c", logging=logs) == "InvalidParameterException", "nothing changes"
    assert eks.update_cluster_config(name="c", resourcesVpcConfig=closed)["update"]["type"] == "EndpointAccessUpdate"
    network = p.cluster()["resourcesVpcConfig"]
    assert network["endpointPublicAccess"] and network["endpointPrivateAccess"] and network["publicAccessCidrs"] == ["8.8.8.0/24"]
    eks.update_cluster_config(name="c", deletionProtection=True)
    assert refused(eks.delete_cluster, name="c") == "InvalidRequestException"
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    eks.associate_encryption_config(clusterName="c", encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": key}}])
    assert p.cluster()["encryptionConfig"][0]["provider"]["keyArn"] == key
    assert len(eks.list_updates(name="c")["updateIds"]) == 5
    assert eks.describe_cluster_versions(defaultOnly=True)["clusterVersions"][0]["clusterVersion"] == "1.34"


def test_an_update_that_fails(clean):
    p = Platform(clean)
    clean.control("failures", [{"operation": "UpdateClusterVersion", "code": "IpNotAvailable", "message": "no addresses", "times": 1}])
    update = p.eks.update_cluster_version(name="c", version="1.34")["update"]
    update = p.eks.describe_update(name="c", updateId=update["id"])["update"]
    assert update["status"] == "Failed" and update["errors"][0]["errorCode"] == "IpNotAvailable"
    assert (p.cluster()["status"], p.cluster()["version"]) == ("ACTIVE", "1.33")


def test_node_groups(clean):
    p = Platform(clean)
    clean.control("settle", {"CreateNodegroup": 60, "UpdateNodegroupConfig": 60, "UpdateNodegroupVersion": 60, "DeleteNodegroup": 60})
    taint = {"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}
    assert p.group(taints=[taint])["status"] == "CREATING"
    assert refused(p.group) == "ResourceInUseException" and refused(p.eks.delete_cluster, name="c") == "ResourceInUseException"
    clean.control("finish", {})
    group = p.group_now()
    assert (group["status"], group["version"], group["diskSize"]) == ("ACTIVE", "1.33", 20) and group["taints"] == [taint]
    assert p.node_role in p.eks.list_access_entries(clusterName="c")["accessEntries"], "nodes are let in"
    name = {"clusterName": "c", "nodegroupName": "general"}
    assert refused(p.eks.update_nodegroup_config, **name, scalingConfig={"minSize": 5}) == "InvalidParameterException"
    other = {"key": "a", "value": "b", "effect": "NO_EXECUTE"}
    update = p.eks.update_nodegroup_config(**name, scalingConfig={"minSize": 0, "maxSize": 5, "desiredSize": 1}, labels={
        "addOrUpdateLabels": {"x": "y"}, "removeLabels": ["pool"]}, taints={"addOrUpdateTaints": [other], "removeTaints": [taint]})["update"]
    assert p.group_now()["status"] == "UPDATING"
    assert refused(p.eks.update_nodegroup_config, **name, scalingConfig={"desiredSize": 2}) == "ResourceInUseException"
    assert refused(p.eks.delete_nodegroup, **name) == "ResourceInUseException"
    clean.control("finish", {})
    group = p.group_now()
    assert group["scalingConfig"] == {"minSize": 0, "maxSize": 5, "desiredSize": 1} and group["labels"] == {"x": "y"} and group["taints"] == [other]
    assert p.eks.describe_update(name="c", updateId=update["id"], nodegroupName="general")["update"]["status"] == "Successful"
    assert refused(p.eks.update_nodegroup_version, **name, version="1.34") == "InvalidParameterException", "the control plane first"
    p.eks.update_cluster_version(name="c", version="1.34")
    p.cluster()
    p.eks.update_nodegroup_version(**name, version="1.34")
    clean.control("finish", {})
    assert (p.group_now()["version"], p.group_now()["releaseVersion"][:4]) == ("1.34", "1.34")
    assert p.eks.delete_nodegroup(**name)["nodegroup"]["status"] == "DELETING"
    assert p.eks.list_nodegroups(clusterName="c")["nodegroups"] == ["general"]
    clean.control("finish", {})
    assert refused(p.eks.describe_nodegroup, **name) == "ResourceNotFoundException"
    assert p.node_role not in p.eks.list_access_entries(clusterName="c")["accessEntries"]
    p.eks.delete_cluster(name="c")


def issues(group):
    return [i["code"] for i in group["health"]["issues"]]


def test_node_groups_that_fail(clean):
    p = Platform(clean)
    p.group("gpu", instanceTypes=["g5.xlarge"], capacityType="SPOT")
    assert p.group_now("gpu")["status"] == "ACTIVE"
    clean.control("quotas", {"L-DB2E81BA": 0})
    p.group("full", instanceTypes=["g5.xlarge"])
    assert p.group_now("full")["status"] == "CREATE_FAILED" and issues(p.group_now("full")) == ["AsgInstanceLaunchFailures"]
    assert "VcpuLimitExceeded" in p.group_now("full")["health"]["issues"][0]["message"]
    p.make_role("bare", trust("ec2.amazonaws.com"))
    p.group("bare", nodeRole="arn:aws:iam::123456789012:role/bare")
    assert issues(p.group_now("bare")) == ["NodeCreationFailure"]
    clean.control("failures", [{"operation": "CreateNodegroup", "name": "told", "code": "InsufficientFreeAddresses", "message": "m"},
                               {"operation": "DeleteNodegroup", "name": "gpu", "code": "Ec2SecurityGroupDeletionFailure", "message": "m", "times": 1}])
    p.group("told")
    assert issues(p.group_now("told")) == ["InsufficientFreeAddresses"]
    p.eks.delete_nodegroup(clusterName="c", nodegroupName="gpu")
    assert p.group_now("gpu")["status"] == "DELETE_FAILED"
    for name in ("gpu", "full", "bare", "told"):
        p.eks.delete_nodegroup(clusterName="c", nodegroupName=name)
    assert p.eks.list_nodegroups(clusterName="c")["nodegroups"] == []
    assert refused(p.group, instanceTypes=["g99.xlarge"]) == "InvalidParameterException"


def test_node_groups_with_a_launch_template(clean):
    p = Platform(clean)
    template = p.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}]})["LaunchTemplate"]["LaunchTemplateId"]
    given = {"id": template, "version": "1"}
    assert refused(p.group, launchTemplate=given, diskSize=50) == "InvalidParameterException"
    assert refused(p.group, launchTemplate={"id": template, "version": "7"}) == "InvalidRequestException"
    p.group(launchTemplate=given)
    assert p.group_now()["launchTemplate"] == {"id": template, "name": "nodes", "version": "1"} and "diskSize" not in p.group_now()
    p.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"MetadataOptions": {"HttpTokens": "required"}})
    p.eks.update_nodegroup_version(clusterName="c", nodegroupName="general", launchTemplate={"id": template, "version": "2"})
    assert p.group_now()["launchTemplate"]["version"] == "2"


def test_addons(clean):
    p = Platform(clean)
    [known] = p.eks.describe_addon_versions(addonName="kube-proxy", kubernetesVersion="1.33")["addons"]
    newest, default = [v["addonVersion"] for v in known["addonVersions"]]
    assert known["addonVersions"][1]["compatibilities"][0] == {"clusterVersion": "1.33", "platformVersions": ["*"], "defaultVersion": True}
    name = {"clusterName": "c", "addonName": "kube-proxy"}
    clean.control("settle", {"CreateAddon": 60, "UpdateAddon": 60, "DeleteAddon": 60})
    assert p.eks.create_addon(**name)["addon"]["status"] == "CREATING"
    assert refused(p.eks.create_addon, **name) == "ResourceInUseException"
    clean.control("finish", {})
    assert (p.eks.describe_addon(**name)["addon"]["status"], p.eks.describe_addon(**name)["addon"]["addonVersion"]) == ("ACTIVE", default)
    assert refused(p.eks.update_addon, **name, addonVersion="v1.99.0-eksbuild.1") == "InvalidParameterException"
    update = p.eks.update_addon(**name, addonVersion=newest, resolveConflicts="OVERWRITE")["update"]
    assert p.eks.describe_addon(**name)["addon"]["status"] == "UPDATING"
    clean.control("finish", {})
    assert p.eks.describe_update(name="c", updateId=update["id"], addonName="kube-proxy")["update"]["status"] == "Successful"
    assert p.eks.describe_addon(**name)["addon"]["addonVersion"] == newest
    p.eks.create_addon(clusterName="c", addonName="coredns", configurationValues='{"replicaCount": 2}')
    clean.control("finish", {})
    describe = lambda: p.eks.describe_addon(clusterName="c", addonName="coredns")["addon"]
    assert describe()["status"] == "DEGRADED" and describe()["health"]["issues"][0]["code"] == "InsufficientNumberOfReplicas"
    p.group()
    assert p.group_now()["status"] == "ACTIVE" and describe()["status"] == "ACTIVE", "now there are nodes"
    assert p.eks.list_addons(clusterName="c")["addons"] == ["coredns", "kube-proxy"]
    p.eks.delete_addon(**name)
    assert p.eks.describe_addon(**name)["addon"]["status"] == "DELETING"
    clean.control("finish", {})
    assert refused(p.eks.describe_addon, **name) == "ResourceNotFoundException"
    assert refused(p.eks.create_addon, clusterName="c", addonName="unheard-of") == "InvalidParameterException"


def test_access_entries(clean):
    p = Platform(clean)
    eks, role = p.eks, p.make_role("admin", trust("ec2.amazonaws.com"))
    [creator] = eks.list_access_entries(clusterName="c")["accessEntries"]
    assert eks.list_associated_access_policies(clusterName="c", principalArn=creator)["associatedAccessPolicies"][0]["policyArn"] == ADMIN
    name = {"clusterName": "c", "principalArn": role}
    entry = eks.create_access_entry(**name, kubernetesGroups=["team"], tags={"a": "b"})["accessEntry"]
    assert entry["type"] == "STANDARD" and entry["username"] == "arn:aws:sts::123456789012:assumed-role/admin/{{SessionName}}"
    assert refused(eks.create_access_entry, **name) == "ResourceInUseException"
    assert refused(eks.create_access_entry, clusterName="c", principalArn=role + "x") == "InvalidParameterException"
    assert refused(eks.update_access_entry, **name, kubernetesGroups=["system:masters"]) == "InvalidParameterException"
    eks.update_access_entry(**name, kubernetesGroups=["other"])
    assert eks.describe_access_entry(**name)["accessEntry"]["kubernetesGroups"] == ["other"]
    eks.associate_access_policy(**name, policyArn=VIEW, accessScope={"type": "namespace", "namespaces": ["quant"]})
    eks.associate_access_policy(**name, policyArn=ADMIN, accessScope={"type": "cluster"})
    assert refused(eks.associate_access_policy, **name, policyArn=VIEW + "x", accessScope={"type": "cluster"}) == "InvalidParameterException"
    found = eks.list_associated_access_policies(**name)["associatedAccessPolicies"]
    assert [(f["policyArn"], f["accessScope"]["type"], f["accessScope"]["namespaces"]) for f in found] == [(VIEW, "namespace", ["quant"]), (ADMIN, "cluster", [])]
    assert eks.list_access_entries(clusterName="c", associatedPolicyArn=VIEW)["accessEntries"] == [role]
    eks.disassociate_access_policy(**name, policyArn=VIEW)
    assert refused(eks.disassociate_access_policy, **name, policyArn=VIEW) == "ResourceNotFoundException"
    assert ADMIN in [policy["arn"] for policy in eks.list_access_policies()["accessPolicies"]]
    eks.delete_access_entry(**name)
    assert refused(eks.describe_access_entry, **name) == "ResourceNotFoundException"


def test_access_entries_need_their_mode(clean):
    p = Platform(clean, accessConfig={"authenticationMode": "CONFIG_MAP"})
    assert refused(p.eks.list_access_entries, clusterName="c") == "InvalidRequestException"
    p.eks.update_cluster_config(name="c", accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    assert p.cluster()["accessConfig"]["authenticationMode"] == "API_AND_CONFIG_MAP"
    assert p.eks.list_access_entries(clusterName="c")["accessEntries"] == []
    assert refused(p.eks.update_cluster_config, name="c", accessConfig={"authenticationMode": "CONFIG_MAP"}) == "InvalidParameterException"


def test_pod_identity(clean):
    p = Platform(clean)
    role = p.make_role("pod", trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"))
    place = {"clusterName": "c", "namespace": "quant", "serviceAccount": "quant-sa"}
    assert refused(p.eks.create_pod_identity_association, **place, roleArn=p.node_role) == "InvalidParameterException"
    made = p.eks.create_pod_identity_association(**place, roleArn=role, tags={"a": "b"})["association"]
    assert refused(p.eks.create_pod_identity_association, **place, roleArn=role) == "ResourceInUseException"
    [found] = p.eks.list_pod_identity_associations(clusterName="c", namespace="quant")["associations"]
    assert found["associationId"] == made["associationId"]
    name = {"clusterName": "c", "associationId": made["associationId"]}
    p.eks.update_pod_identity_association(**name, roleArn=role)
    assert p.eks.describe_pod_identity_association(**name)["association"]["tags"] == {"a": "b"}
    p.eks.delete_pod_identity_association(**name)
    assert refused(p.eks.describe_pod_identity_association, **name) == "ResourceNotFoundException"


def test_tags(clean):
    p = Platform(clean)
    p.group()
    p.eks.create_addon(clusterName="c", addonName="vpc-cni")
    entry = p.eks.describe_access_entry(clusterName="c", principalArn=p.node_role)["accessEntry"]
    for arn in (p.cluster()["arn"], p.group_now()["nodegroupArn"], p.eks.describe_addon(clusterName="c", addonName="vpc-cni")["addon"]["addonArn"],
                entry["accessEntryArn"]):
        p.eks.tag_resource(resourceArn=arn, tags={"one": "1", "two": "2", "three": "3"})
        p.eks.untag_resource(resourceArn=arn, tagKeys=["one", "two"])
        tags = p.eks.list_tags_for_resource(resourceArn=arn)["tags"]
        assert tags["three"] == "3" and not {"one", "two"} & set(tags)
    assert refused(p.eks.list_tags_for_resource, resourceArn="arn:aws:eks:us-east-1:123456789012:cluster/other") == "NotFoundException"


def test_pages(clean):
    p = Platform(clean)
    for addon in ("coredns", "kube-proxy", "vpc-cni"):
        p.eks.create_addon(clusterName="c", addonName=addon)
    clean.control("settings", {"page_size": 2})
    first = p.eks.list_addons(clusterName="c")
    assert len(first["addons"]) == 2 and p.eks.list_addons(clusterName="c", nextToken=first["nextToken"])["addons"] == ["vpc-cni"]


# ---- what is behind a cluster, and who gets in


def test_endpoint(clean):
    p = Platform(clean)
    given = {"endpoint": "https://127.0.0.1:6443", "certificateAuthority": base64.b64encode(b"pem").decode(), "issuer": "https://127.0.0.1:6444"}
    clean.control("cluster_endpoint", given)
    cluster = p.cluster()
    assert (cluster["endpoint"], cluster["certificateAuthority"]["data"]) == (given["endpoint"], given["certificateAuthority"])
    assert cluster["identity"]["oidc"]["issuer"] == given["issuer"]
    clean.control("cluster_endpoint", {"cluster": "c", "endpoint": "https://127.0.0.1:7443"})
    assert p.cluster()["endpoint"] == "https://127.0.0.1:7443"


def token_of(cluster, key="test", secret="test", session=None, expires=60, header="x-k8s-aws-id"):
    """As "aws eks get-token" makes it."""
    known = botocore.session.get_session()
    known.set_credentials(key, secret, session)
    signer = RequestSigner(known.get_service_model("sts").service_id, "us-east-1", "sts", "v4", known.get_credentials(), known.get_component("event_emitter"))
    url = signer.generate_presigned_url({"method": "GET", "url": "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
                                         "body": {}, "headers": {header: cluster}, "context": {}}, region_name="us-east-1", expires_in=expires,
                                        operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def look(front, token, cluster=None):
    return front.control(f"cluster_token?token={token}" + (f"&cluster={cluster}" if cluster else ""))


def test_tokens(clean):
    Platform(clean)
    seen = look(clean, token_of("c"))
    assert seen["valid"] and seen["cluster"] == "c" and seen["account"] == "123456789012" and seen["arn"].endswith(":user/moto")
    assert look(clean, token_of("c"), "c")["valid"] and not look(clean, token_of("c"), "other")["valid"]
    role = clean.client("iam").create_role(RoleName="ci", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))["Role"]["Arn"]
    keys = clean.client("sts").assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
    seen = look(clean, token_of("c", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]))
    assert seen["valid"] and seen["arn"] == "arn:aws:sts::123456789012:assumed-role/ci/job"


@pytest.mark.parametrize("change, why", [
    (lambda t: t + "=", "padded"), (lambda t: "x" + t, "start"), (lambda t: t[:-3] + ("AAA" if t[-3:] != "AAA" else "BBB"), "signature"),
    (lambda t: token_of("other"), "signature"), (lambda t: token_of("c", secret="wrong"), "signature"), (lambda t: token_of("c", key="AKIA"), "known"),
    (lambda t: token_of("c", expires=4000), "expiry"), (lambda t: token_of("c", header="x-other"), "x-k8s-aws-id")])
def test_tokens_that_let_nobody_in(clean, change, why):
    Platform(clean)
    seen = look(clean, change(token_of("c")))
    assert not seen["valid"] and why in seen["why"]


def test_tokens_that_are_too_old(clean):
    Platform(clean)
    token = token_of("c")
    clean.control("clock", {"offset_s": 899})
    assert look(clean, token)["valid"]
    clean.control("clock", {"offset_s": 905})
    assert "905 s old" in look(clean, token)["why"] or "906 s old" in look(clean, token)["why"]
