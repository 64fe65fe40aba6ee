"""What a platform needs besides its cluster, in the simulator, by boto3: policies, identity providers, registries, launch templates, dashboards, alarms."""
import base64
import json
import urllib.parse

from tests.sim.cloud import Cloud
from tests.sim.test_sim_eks import VIEW, Platform, trust
from tests.sim.test_sim import POLICY, TRUST, clean, front, process, refused  # noqa: F401

MANAGED = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days",
                                                                    "countNumber": 7}, "action": {"type": "expire"}}]})
TAGS = [{"Key": "a", "Value": "b"}]


def test_attached_policies(clean):
    iam = clean.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    for _ in range(2):
        iam.attach_role_policy(RoleName="r", PolicyArn=MANAGED)
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy")
    assert refused(iam.attach_role_policy, RoleName="r", PolicyArn=MANAGED + "X") == "NoSuchEntity"
    assert refused(iam.attach_role_policy, RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicy") == "NoSuchEntity", "its path"
    assert MANAGED in [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]]
    assert iam.get_policy(PolicyArn=MANAGED)["Policy"]["AttachmentCount"] == 1
    assert refused(iam.delete_role, RoleName="r") == "DeleteConflict"
    iam.detach_role_policy(RoleName="r", PolicyArn=MANAGED)
    assert refused(iam.detach_role_policy, RoleName="r", PolicyArn=MANAGED) == "NoSuchEntity"
    iam.detach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy")
    iam.delete_role(RoleName="r")


def test_policies(clean):
    iam = clean.client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY, Description="d", Tags=TAGS)["Policy"]["Arn"]
    assert refused(iam.create_policy, PolicyName="p", PolicyDocument=POLICY) == "EntityAlreadyExists"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)["PolicyVersion"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == made["VersionId"] == "v2"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == json.loads(POLICY)
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=POLICY) == "LimitExceeded"
    assert refused(iam.delete_policy, PolicyArn=arn) == "DeleteConflict", "it has versions"
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v5") == "DeleteConflict", "the default"
    for version in ("v1", "v2", "v3", "v4"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Tags"] == [{"Key": "c", "Value": "d"}] == iam.list_policy_tags(PolicyArn=arn)["Tags"]
    iam.delete_policy(PolicyArn=arn)
    assert refused(iam.get_policy, PolicyArn=arn) == "NoSuchEntity"


def test_identity_providers(clean):
    iam, url = clean.client("iam"), "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40], Tags=TAGS)["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::123456789012:oidc-provider/{url.removeprefix('https://')}"
    assert refused(iam.create_open_id_connect_provider, Url=url, ThumbprintList=["a" * 40]) == "EntityAlreadyExists"
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"], found["Tags"]) == (url.removeprefix("https://"), ["sts.amazonaws.com"], ["a" * 40], TAGS)
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com")
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["ClientIDList"], found["ThumbprintList"], found["Tags"]) == (["other"], ["b" * 40], [{"Key": "c", "Value": "d"}])
    assert [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]] == [arn]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn) == "NoSuchEntity"


def test_registries(clean):
    ecr = clean.client("ecr")
    made = ecr.create_repository(repositoryName="team/api", imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True},
                                 encryptionConfiguration={"encryptionType": "KMS"}, tags=TAGS)["repository"]
    assert made["repositoryUri"] == "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/api" and made["encryptionConfiguration"]["kmsKey"]
    assert refused(ecr.create_repository, repositoryName="team/api") == "RepositoryAlreadyExistsException"
    ecr.put_image_tag_mutability(repositoryName="team/api", imageTagMutability="MUTABLE")
    ecr.put_image_scanning_configuration(repositoryName="team/api", imageScanningConfiguration={"scanOnPush": False})
    [found] = ecr.describe_repositories(repositoryNames=["team/api"])["repositories"]
    assert found["imageTagMutability"] == "MUTABLE" and found["imageScanningConfiguration"] == {"scanOnPush": False}
    assert refused(ecr.get_lifecycle_policy, repositoryName="team/api") == "LifecyclePolicyNotFoundException"
    ecr.put_lifecycle_policy(repositoryName="team/api", lifecyclePolicyText=LIFECYCLE)
    assert json.loads(ecr.get_lifecycle_policy(repositoryName="team/api")["lifecyclePolicyText"]) == json.loads(LIFECYCLE)
    assert refused(ecr.put_lifecycle_policy, repositoryName="team/api", lifecyclePolicyText=json.dumps({"rules": [{"rulePriority": 1, "description": "x" * 90}]})) == "InvalidParameterException"
    ecr.delete_lifecycle_policy(repositoryName="team/api")
    ecr.tag_resource(resourceArn=made["repositoryArn"], tags=[{"Key": "c", "Value": "d"}])
    ecr.untag_resource(resourceArn=made["repositoryArn"], tagKeys=["a"])
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [{"Key": "c", "Value": "d"}]
    ecr.put_image(repositoryName="team/api", imageManifest=json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": "sha256:" + "0" * 64}, "layers": []}), imageTag="v1")
    assert refused(ecr.delete_repository, repositoryName="team/api") == "RepositoryNotEmptyException"
    ecr.delete_repository(repositoryName="team/api", force=True)
    assert refused(ecr.describe_repositories, repositoryNames=["team/api"]) == "RepositoryNotFoundException"


def test_launch_templates(clean):
    ec2 = clean.client("ec2")
    data = {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}}],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}, "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
            "TagSpecifications": [{"ResourceType": "instance", "Tags": TAGS}]}
    tags = [{"ResourceType": "launch-template", "Tags": TAGS}]
    made = ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data, ClientToken="x", TagSpecifications=tags)["LaunchTemplate"]
    name = made["LaunchTemplateId"]
    assert ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data, ClientToken="x", TagSpecifications=tags)["LaunchTemplate"]["LaunchTemplateId"] == name
    assert refused(ec2.create_launch_template, LaunchTemplateName="nodes", LaunchTemplateData=data) == "InvalidLaunchTemplateName.AlreadyExistsException"
    assert made["Tags"] == TAGS and (made["DefaultVersionNumber"], made["LatestVersionNumber"]) == (1, 1)
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=name, Versions=["$Latest"])["LaunchTemplateVersions"]
    read = version["LaunchTemplateData"]
    assert read["BlockDeviceMappings"] == data["BlockDeviceMappings"] and read["UserData"] == data["UserData"]
    assert read["MetadataOptions"]["HttpTokens"] == "required" and read["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    made = ec2.create_launch_template_version(LaunchTemplateId=name, LaunchTemplateData={"InstanceType": "m5.large"})["LaunchTemplateVersion"]
    assert made["VersionNumber"] == 2
    ec2.modify_launch_template(LaunchTemplateId=name, DefaultVersion="2")
    [found] = ec2.describe_launch_templates(LaunchTemplateIds=[name])["LaunchTemplates"]
    assert (found["DefaultVersionNumber"], found["LatestVersionNumber"]) == (2, 2)
    ec2.create_tags(Resources=[name], Tags=[{"Key": "llm:resource", "Value": "x"}])
    ec2.create_launch_template(LaunchTemplateName="other", LaunchTemplateData=data)
    mine = ec2.describe_launch_templates(Filters=[{"Name": "tag:llm:resource", "Values": ["x"]}])["LaunchTemplates"]
    assert [t["LaunchTemplateName"] for t in mine] == ["nodes"]
    assert refused(ec2.describe_launch_templates, LaunchTemplateIds=["lt-0123456789abcdef0"]) == "InvalidLaunchTemplateId.NotFound"
    ec2.delete_launch_template(LaunchTemplateId=name)
    assert refused(ec2.delete_launch_template, LaunchTemplateId=name) == "InvalidLaunchTemplateId.NotFound"


BODY = json.dumps({"widgets": [{"type": "text", "x": 0, "y": 0, "width": 6, "height": 3, "properties": {"markdown": "hello"}}]})


def test_dashboards(clean):
    cloudwatch = clean.client("cloudwatch")
    assert cloudwatch.put_dashboard(DashboardName="d", DashboardBody=BODY, Tags=TAGS).get("DashboardValidationMessages", []) == []
    found = cloudwatch.get_dashboard(DashboardName="d")
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody=BODY, Tags=[{"Key": "x", "Value": "y"}])
    assert cloudwatch.list_tags_for_resource(ResourceARN=found["DashboardArn"])["Tags"] == TAGS, "a dashboard that is there keeps its tags"
    assert json.loads(found["DashboardBody"]) == json.loads(BODY) and found["DashboardArn"] == "arn:aws:cloudwatch::123456789012:dashboard/d"
    assert [d["DashboardName"] for d in cloudwatch.list_dashboards(DashboardNamePrefix="d")["DashboardEntries"]] == ["d"]
    assert refused(cloudwatch.put_dashboard, DashboardName="d", DashboardBody="{") == "InvalidParameterInput"
    cloudwatch.delete_dashboards(DashboardNames=["d"])
    assert refused(cloudwatch.get_dashboard, DashboardName="d") == "ResourceNotFound"
    assert refused(cloudwatch.delete_dashboards, DashboardNames=["d"]) == "ResourceNotFound"


def test_alarms(clean):
    cloudwatch = clean.client("cloudwatch")
    alarm = {"AlarmName": "a", "AlarmDescription": "d", "Namespace": "ContainerInsights", "MetricName": "node_cpu_utilization", "Statistic": "Average",
             "Dimensions": [{"Name": "ClusterName", "Value": "c"}], "Period": 300, "EvaluationPeriods": 2, "Threshold": 80.5,
             "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", "ActionsEnabled": True,
             "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:t"], "OKActions": [], "InsufficientDataActions": []}
    cloudwatch.put_metric_alarm(**alarm, Tags=TAGS)
    [found] = cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    assert {k: found.get(k, []) for k in alarm} == alarm
    arn = found["AlarmArn"]
    cloudwatch.put_metric_alarm(**{**alarm, "Threshold": 90, "AlarmActions": []}, Tags=[{"Key": "x", "Value": "y"}])
    [found] = cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    assert found["Threshold"] == 90 and found["AlarmActions"] == []
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS, "an alarm that is there keeps its tags"
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    cloudwatch.delete_alarms(AlarmNames=["a"])
    assert cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"] == []
    cloudwatch.put_metric_alarm(**alarm)
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [], "tags go with the alarm"


def test_cloudwatch_by_its_form(clean):
    """The query protocol, which the SDKs have left."""
    import urllib.request
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    def call(**form):
        request = AWSRequest("POST", clean.url + "/", data=urllib.parse.urlencode({"Version": "2010-08-01", **form}),
                             headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"})
        SigV4Auth(Credentials("test", "test"), "monitoring", "us-east-1").add_auth(request)
        sent = urllib.request.Request(request.url, request.data.encode(), dict(request.headers))
        try:
            with urllib.request.urlopen(sent) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
    status, text = call(Action="PutMetricAlarm", AlarmName="a", Namespace="n", MetricName="m", Statistic="Average", Period="60", EvaluationPeriods="1",
                        Threshold="1", ComparisonOperator="GreaterThanThreshold", **{"Dimensions.member.1.Name": "x", "Dimensions.member.1.Value": "y",
                                                                                    "Tags.member.1.Key": "a", "Tags.member.1.Value": "b"})
    assert status == 200, text
    status, text = call(Action="DescribeAlarms", **{"AlarmNames.member.1": "a"})
    assert status == 200 and "<Threshold>1" in text and "<MetricAlarms><member>" in text.replace("\n", "").replace(" ", ""), text
    assert call(Action="PutDashboard", DashboardName="d", DashboardBody=BODY)[0] == 200
    status, text = call(Action="GetDashboard", DashboardName="none")
    assert status == 404 and "<Code>ResourceNotFound</Code>" in text, text
    status, text = call(Action="DeleteDashboards", **{"DashboardNames.member.1": "none"})
    assert status == 404 and "<Code>ResourceNotFound</Code>" in text, text


def test_what_a_platform_owns(clean):
    """All kinds of objects that a platform makes are in the tests' own view of the cloud."""
    owner, p = {"llm:resource": "llm_platform_cluster/x"}, Platform(clean)
    tags = [{"Key": k, "Value": v} for k, v in owner.items()]
    p.group(tags=owner)
    p.eks.tag_resource(resourceArn=p.cluster()["arn"], tags=owner)
    p.eks.create_addon(clusterName="c", addonName="kube-proxy", tags=owner)
    p.eks.create_access_entry(clusterName="c", principalArn=p.role, tags=owner)
    p.eks.associate_access_policy(clusterName="c", principalArn=p.role, policyArn=VIEW, accessScope={"type": "cluster"})
    pod = p.make_role("pod", trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"))
    p.eks.create_pod_identity_association(clusterName="c", namespace="n", serviceAccount="s", roleArn=pod, tags=owner)
    p.iam.create_open_id_connect_provider(Url="https://example.com/id", ThumbprintList=["a" * 40], Tags=tags)
    p.iam.create_policy(PolicyName="p", PolicyDocument=POLICY, Tags=tags)
    p.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"InstanceType": "m5.large"},
                                 TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}])
    clean.client("ecr").create_repository(repositoryName="team/api", tags=tags)
    cloudwatch = clean.client("cloudwatch")
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody=BODY, Tags=tags)
    cloudwatch.put_metric_alarm(AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
                                ComparisonOperator="GreaterThanThreshold", Tags=tags)
    found = {(kind, note) for kind, _, note in Cloud(clean.url).owned()}
    assert {kind for kind, _ in found} == {
        "EKS cluster", "EKS node group", "EKS addon", "EKS access entry", "EKS pod identity association", "OIDC provider", "IAM policy",
        "launch template", "ECR repository", "CloudWatch dashboard", "CloudWatch alarm"}
    assert ("EKS cluster", "1.33 ACTIVE") in found and ("EKS access entry", "AmazonEKSViewPolicy") in found
