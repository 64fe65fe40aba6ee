"""The simulated clouds side by side, for tests of what is the same on both: how a core is pointed at one, and what was made there."""
from conftest import aws_settings, gcp_settings
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GcpCloud


class Aws:
    name, region = "aws", "us-east-1"
    instance_id = r"i-[0-9a-f]+"
    maker = "RunInstances"
    account = "123456789012"
    # What only who has an account has, and what a root gets from its variables.
    credentials = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")

    def __init__(self, simulator):
        self.simulator, self.settings = simulator, aws_settings(simulator.endpoint)

    def made(self):
        return sorted(kind for kind, _, _ in Cloud(self.simulator.endpoint).owned())

    def tags_of_instance(self):
        [instance] = Cloud(self.simulator.endpoint).instances()
        return {t["Key"]: t["Value"] for t in instance["Tags"]}


class Gcp:
    name, region = "gcp", "us-central1"
    instance_id = r"projects/test-project/zones/us-central1-[a-z]/instances/[a-z0-9-]+"
    maker = "compute.instances.insert"
    account = "test-project"
    credentials = ("GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_PROJECT", "GOOGLE_REGION")

    def __init__(self, simulator):
        self.simulator, self.settings = simulator, gcp_settings(simulator.endpoint)

    def made(self):
        return GcpCloud(self.simulator.endpoint).made()

    def tags_of_instance(self):
        [labels] = [b["labels"] for n, b in GcpCloud(self.simulator.endpoint).things("compute").items() if "/instances/" in n]
        return labels


CLOUDS = {"aws": ("sim", Aws), "gcp": ("gcp_sim", Gcp)}


def ground_of(request):
    """The simulated cloud that a fixture's parameter names, empty."""
    simulator, kind = CLOUDS[request.param]
    return kind(request.getfixturevalue(simulator))


def signed_out(ground):
    """The settings of somebody who has no account."""
    return {k: v for k, v in ground.settings.items() if k not in ground.credentials}
