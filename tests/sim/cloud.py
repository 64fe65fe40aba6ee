"""What exists in the simulated cloud, asked by boto3: the tests' own view, which the provider has no part in."""
import functools
import os

import boto3
from botocore.config import Config


@functools.lru_cache(None)
def client_of(service, endpoint, region):
    """Making one takes longer than most of its calls."""
    return boto3.client(service, endpoint_url=endpoint, region_name=region, aws_access_key_id="test", aws_secret_access_key="test",
                        config=Config(retries={"max_attempts": 0}))


class Cloud:
    def __init__(self, endpoint=None, region="us-east-1"):
        self.endpoint = endpoint or os.environ["AWS_ENDPOINT_URL"]
        self.region = region

    def client(self, service):
        return client_of(service, self.endpoint, self.region)

    def instances(self):
        answer = self.client("ec2").describe_instances()
        return [i for r in answer["Reservations"] for i in r["Instances"] if i["State"]["Name"] != "terminated"]

    def owned(self):
        """(kind, id, note) of all that the provider made: everything that is not there in an empty account."""
        ec2, found = self.client("ec2"), []
        mine = lambda o: any(t["Key"] == "llm:resource" for t in o.get("Tags", []))
        for vpc in filter(mine, ec2.describe_vpcs()["Vpcs"]):
            found.append(("VPC", vpc["VpcId"], vpc["CidrBlock"]))
        for gateway in filter(mine, ec2.describe_internet_gateways()["InternetGateways"]):
            found.append(("internet gateway", gateway["InternetGatewayId"], "attached" if gateway["Attachments"] else "detached"))
        for subnet in filter(mine, ec2.describe_subnets()["Subnets"]):
            found.append(("subnet", subnet["SubnetId"], f"{subnet['AvailabilityZone']} {subnet['CidrBlock']}"))
        for table in filter(mine, ec2.describe_route_tables()["RouteTables"]):
            routes = [r.get("NatGatewayId") or r.get("GatewayId") for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
            found.append(("route table", table["RouteTableId"], f"0.0.0.0/0 -> {routes[0]}" if routes else "no default route"))
            for association in table["Associations"]:
                if not association.get("Main"):
                    found.append(("route table association", association["RouteTableAssociationId"], association["SubnetId"]))
        for address in filter(mine, ec2.describe_addresses()["Addresses"]):
            found.append(("Elastic IP address", address["AllocationId"], address["PublicIp"]))
        for nat in filter(mine, ec2.describe_nat_gateways()["NatGateways"]):
            if nat["State"] != "deleted":
                found.append(("NAT gateway", nat["NatGatewayId"], nat["State"]))
        for group in filter(mine, ec2.describe_security_groups()["SecurityGroups"]):
            found.append(("security group", group["GroupId"], f"{len(group['IpPermissions'])} ways in"))
        for instance in self.instances():
            found.append(("instance", instance["InstanceId"], f"{instance['InstanceType']} {instance['Placement']['AvailabilityZone']} {instance['State']['Name']}"))
        for volume in filter(mine, ec2.describe_volumes()["Volumes"]):
            tags = {t["Key"]: t["Value"] for t in volume["Tags"]}
            if tags.get("llm:component") == "volume":
                found.append(("EBS volume", volume["VolumeId"], f"{volume['Size']} GiB {'encrypted' if volume['Encrypted'] else 'NOT ENCRYPTED'} {volume['State']}"))
        iam = self.client("iam")
        for role in iam.list_roles()["Roles"]:
            if mine(iam.get_role(RoleName=role["RoleName"])["Role"]):
                found.append(("IAM role", role["RoleName"], ", ".join(iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"])))
        for profile in iam.list_instance_profiles()["InstanceProfiles"]:
            found.append(("IAM instance profile", profile["InstanceProfileName"], ", ".join(r["RoleName"] for r in profile["Roles"])))
        for secret in self.client("secretsmanager").list_secrets()["SecretList"]:
            found.append(("secret", secret["Name"], ""))
        for group in self.client("logs").describe_log_groups()["logGroups"]:
            found.append(("log group", group["logGroupName"], f"{group.get('retentionInDays')} days"))
        return found + self.owned_by_platforms(mine, iam)

    def owned_by_platforms(self, mine, iam):
        """As owned(): what only platform clusters have."""
        ec2, ecr, cloudwatch, found = self.client("ec2"), self.client("ecr"), self.client("cloudwatch"), []
        for template in filter(mine, ec2.describe_launch_templates()["LaunchTemplates"]):
            found.append(("launch template", template["LaunchTemplateId"], f"version {template['DefaultVersionNumber']}"))
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            if mine(iam.get_policy(PolicyArn=policy["Arn"])["Policy"]):
                found.append(("IAM policy", policy["Arn"], f"{policy['AttachmentCount']} times attached"))
        for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            seen = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
            if mine(seen):
                found.append(("OIDC provider", provider["Arn"], ", ".join(seen["ThumbprintList"])))
        for repository in ecr.describe_repositories()["repositories"]:
            if mine({"Tags": ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]}):
                found.append(("ECR repository", repository["repositoryName"], repository["imageTagMutability"]))
        for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
            if mine(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])):
                found.append(("CloudWatch alarm", alarm["AlarmName"], alarm["MetricName"]))
        for dashboard in cloudwatch.list_dashboards()["DashboardEntries"]:
            if mine(cloudwatch.list_tags_for_resource(ResourceARN=dashboard["DashboardArn"])):
                found.append(("CloudWatch dashboard", dashboard["DashboardName"], ""))
        return found + self.owned_in_clusters() + self.owned_by_endpoints(mine)

    def owned_by_endpoints(self, mine):
        """As owned(): what only model endpoints have. Scaling policies have no tags, and are not counted."""
        api, scaling, found = self.client("sagemaker"), self.client("application-autoscaling"), []
        tagged = lambda arn: mine(api.list_tags(ResourceArn=arn))
        for model in api.list_models()["Models"]:
            if tagged(model["ModelArn"]):
                found.append(("SageMaker model", model["ModelName"], ""))
        for config in api.list_endpoint_configs()["EndpointConfigs"]:
            if tagged(config["EndpointConfigArn"]):
                found.append(("SageMaker endpoint configuration", config["EndpointConfigName"], ""))
        for endpoint in api.list_endpoints()["Endpoints"]:
            if tagged(endpoint["EndpointArn"]):
                found.append(("SageMaker endpoint", endpoint["EndpointName"], endpoint["EndpointStatus"]))
        for component in api.list_inference_components()["InferenceComponents"]:
            if tagged(component["InferenceComponentArn"]):
                found.append(("SageMaker inference component", component["InferenceComponentName"], component["InferenceComponentStatus"]))
        for target in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]:
            if "llm:resource" in scaling.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"]:
                found.append(("scalable target", target["ResourceId"], f"{target['MinCapacity']} to {target['MaxCapacity']}"))
        return found

    def owned_in_clusters(self):
        eks, found = self.client("eks"), []
        mine = lambda o: "llm:resource" in o.get("tags", {})
        for name in eks.list_clusters()["clusters"]:
            cluster = eks.describe_cluster(name=name)["cluster"]
            if mine(cluster):
                found.append(("EKS cluster", name, f"{cluster['version']} {cluster['status']}"))
            for group in eks.list_nodegroups(clusterName=name)["nodegroups"]:
                group = eks.describe_nodegroup(clusterName=name, nodegroupName=group)["nodegroup"]
                if mine(group):
                    found.append(("EKS node group", group["nodegroupName"], f"{group['version']} {group['status']}"))
            for addon in eks.list_addons(clusterName=name)["addons"]:
                addon = eks.describe_addon(clusterName=name, addonName=addon)["addon"]
                if mine(addon):
                    found.append(("EKS addon", addon["addonName"], f"{addon['addonVersion']} {addon['status']}"))
            for association in eks.list_pod_identity_associations(clusterName=name)["associations"]:
                seen = eks.describe_pod_identity_association(clusterName=name, associationId=association["associationId"])["association"]
                if mine(seen):
                    found.append(("EKS pod identity association", seen["associationId"], f"{seen['namespace']}/{seen['serviceAccount']}"))
            if cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP" or cluster["status"] not in ("ACTIVE", "UPDATING"):
                continue
            for principal in eks.list_access_entries(clusterName=name)["accessEntries"]:
                if mine(eks.describe_access_entry(clusterName=name, principalArn=principal)["accessEntry"]):
                    policies = eks.list_associated_access_policies(clusterName=name, principalArn=principal)["associatedAccessPolicies"]
                    found.append(("EKS access entry", principal, ", ".join(p["policyArn"].rpartition("/")[2] for p in policies)))
        return found
