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
        return found
