"""The simulated clouds side by side, for tests of what is the same on both: how a core is pointed at one, and what was made there."""
from conftest import aws_settings, gcp_settings
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GcpCloud


class Aws:
    name = "aws"
    instance_id = r"i-[0-9a-f]+"
    maker = "RunInstances"
    account = "123456789012"
    # What only who has an account has, and what a root gets from its variables.
    credentials = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")

    def __init__(self, simulator, region="us-east-1"):
        self.simulator, self.region, self.settings = simulator, region, aws_settings(simulator.endpoint)
        self.cloud = Cloud(simulator.endpoint, region)

    def made(self):
        return sorted(kind for kind, _, _ in self.cloud.owned())

    def instance(self):
        [instance] = self.cloud.instances()
        return instance

    def tags_of_instance(self):
        return {t["Key"]: t["Value"] for t in self.instance()["Tags"]}

    def power(self):
        return self.instance()["State"]["Name"]

    def subnet_of_instance(self):
        return self.instance()["SubnetId"]

    def network(self):
        """Makes a VPC with two subnets: its id, theirs."""
        ec2 = self.cloud.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        return vpc, [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{i}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
                     for i, zone in enumerate("ab")]


class Gcp:
    name, region = "gcp", "us-central1"
    instance_id = r"projects/test-project/zones/us-central1-[a-z]/instances/[a-z0-9-]+"
    maker = "compute.instances.insert"
    account = "test-project"
    credentials = ("GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_PROJECT", "GOOGLE_REGION")

    def __init__(self, simulator):
        self.simulator, self.settings = simulator, gcp_settings(simulator.endpoint)
        self.cloud = GcpCloud(simulator.endpoint)

    def made(self):
        return self.cloud.made()

    def instance(self):
        [instance] = [b for n, b in self.cloud.things("compute").items() if n.split("/")[-2] == "instances"]
        return instance

    def tags_of_instance(self):
        return self.instance()["labels"]

    def power(self):
        return {"TERMINATED": "stopped"}.get(self.instance()["status"], self.instance()["status"])

    def subnet_of_instance(self):
        return self.instance()["networkInterfaces"][0]["subnetwork"].split("/v1/")[-1]

    def network(self):
        """Makes a network with a subnetwork: its id, and the subnetwork's."""
        cloud = self.cloud
        network = "projects/test-project/global/networks/shared"
        cloud.done(cloud.compute.networks().insert(project="test-project", body={"name": "shared", "autoCreateSubnetworks": False}).execute())
        cloud.done(cloud.compute.subnetworks().insert(project="test-project", region="us-central1", body={
            "name": "nodes", "network": network, "ipCidrRange": "10.9.0.0/20"}).execute())
        return network, ["projects/test-project/regions/us-central1/subnetworks/nodes"]


CLOUDS = {"aws": ("sim", Aws), "gcp": ("gcp_sim", Gcp)}


def ground_of(request):
    """The simulated cloud that a fixture's parameter names, empty."""
    simulator, kind = CLOUDS[request.param]
    return kind(request.getfixturevalue(simulator))


def signed_out(ground):
    """The settings of somebody who has no account."""
    return {k: v for k, v in ground.settings.items() if k not in ground.credentials}
