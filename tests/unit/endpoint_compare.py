"""The endpoints of all services, in all partitions, with FIPS and dual-stack, against botocore's rules.

Usage: endpoint_compare.py PROGRAM   PROGRAM is the built endpoint_lines.
"""
import itertools
import os
import subprocess
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

SERVICES = {s: s for s in ("ec2", "iam", "logs", "secretsmanager", "ssm", "eks", "ecr", "cloudwatch", "sagemaker", "sso")}
SERVICES.update({"servicequotas": "service-quotas", "appautoscaling": "application-autoscaling", "ssooidc": "sso-oidc", "elb": "elb", "elbv2": "elbv2"})
REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-3", "us-gov-west-1", "us-gov-east-1", "cn-north-1"]
SESSION = botocore.session.get_session()


def expected(name, region, fips, dualstack):
    """None: botocore knows of no such endpoint."""
    try:
        client = SESSION.create_client(name, region, aws_access_key_id="x", aws_secret_access_key="x",
                                       config=Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack))
    except BotoCoreError:
        return None
    return f"{client.meta.endpoint_url} {client.meta.service_model.signing_name} {client._request_signer.region_name}"


def exists(service, region, fips, dualstack):
    """FIPS is of North America. The rules give IAM's endpoints with dual-stack the names of regions that are none."""
    return not (fips and not region.startswith("us-")) and not (service == "iam" and dualstack and (fips or not region.startswith(("us-east", "eu-", "ap-"))))


def main():
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    cases = [c for c in itertools.product(SERVICES, REGIONS, (False, True), (False, True)) if exists(*c)]
    text = "".join(f"{s} {r} {int(f)} {int(d)}\n" for s, r, f, d in cases)
    found = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(found) == len(cases)
    wrong = 0
    for (service, *how), line in zip(cases, found):
        want = expected(SERVICES[service], *how)
        if want is not None and want != line:
            wrong += 1
            print(f"{service} {how}: {line}, botocore: {want}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
