"""The simulated clouds side by side, for tests of what is the same on both: how a core is pointed at one, and what was made there."""
from tests.sim.cloud import Cloud


class Aws:
    name, region = "aws", "us-east-1"
    zones = ["us-east-1a", "us-east-1b"]
    instance_id = r"i-[0-9a-f]+"
    maker = "RunInstances"

    def __init__(self, simulator):
        self.simulator = simulator
        self.env = {"AWS_ENDPOINT_URL": simulator.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def made(self):
        return sorted(kind for kind, _, _ in Cloud(self.simulator.endpoint).owned())

    def calls(self, operation):
        return self.simulator.calls(operation)

    def tags_of_instance(self):
        [instance] = Cloud(self.simulator.endpoint).instances()
        return {t["Key"]: t["Value"] for t in instance["Tags"]}
