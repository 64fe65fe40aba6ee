"""Tokens for clusters: those for EKS against botocore's own signer, as "aws eks get-token" uses it, and against the simulator's check, which is the
authenticator's; those for GKE are the access token of the credentials.

Usage: cluster_token_compare.py PROGRAM [COUNT [SEED]]   PROGRAM is the built cluster_token_lines.
"""
import base64
import datetime
import http.server
import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

import botocore.session
from botocore import auth
from botocore.config import Config
from botocore.signers import RequestSigner

from aws_component_live import Ground
from gcp_token_live import Server

REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-3", "cn-north-1", "cn-northwest-1", "us-gov-west-1"]
PLAIN = "abcXYZ019-_.~/+="
CLEARED = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE", "GCE_METADATA_HOST",
           "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN"]
NEVER = 2**63 - 1


class Program:
    def __init__(self, program, home):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"HOME": home, "AWS_EC2_METADATA_DISABLED": "true"})

    def make(self, cloud, block=None, env=None, at=0, region="us-east-1", cluster="c", **more):
        line = {"cloud": cloud, "block": block, "env": {**dict.fromkeys(CLEARED), **(env or {})}, "time": at, "region": region, "cluster": cluster, **more}
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def sts_endpoint(region, fips):
    """Where botocore reaches STS in a region."""
    session = botocore.session.get_session()
    session.set_config_variable("sts_regional_endpoints", "regional")
    return session.create_client("sts", region, aws_access_key_id="x", aws_secret_access_key="x", config=Config(use_fips_endpoint=fips)).meta.endpoint_url


def of_botocore(case):
    session = botocore.session.get_session()
    session.set_credentials(case["key"], case["secret"], case["token"])
    signer = RequestSigner(session.get_service_model("sts").service_id, case["region"], "sts", "v4", session.get_credentials(), session.get_component("event_emitter"))
    request = {"method": "GET", "url": f"{case['endpoint']}/?Action=GetCallerIdentity&Version=2011-06-15", "body": {}, "headers": {"x-k8s-aws-id": case["cluster"]},
               "context": {}}
    now = datetime.datetime.fromtimestamp(case["at"], datetime.timezone.utc)
    with mock.patch.object(auth, "get_current_datetime", lambda *_: now):
        url = signer.generate_presigned_url(request, region_name=case["region"], expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def generate(rng, endpoints):
    region, fips = rng.choice(REGIONS), rng.random() < 0.2
    own = rng.choice([None, None, "https://sts.example.com", "http://127.0.0.1:4566"])
    case = {"region": region, "key": "AKID" + "".join(rng.choices("ABC234", k=16)), "secret": "".join(rng.choices(PLAIN, k=40)),
            "token": "".join(rng.choices(PLAIN, k=rng.randint(1, 900))) if rng.random() < 0.5 else None, "at": rng.randint(0, 4102444800),
            "cluster": "".join(rng.choices("abcXYZ019-_", k=rng.randint(1, 100)))}
    block = {"access_key": case["key"], "secret_key": case["secret"], **({"token": case["token"]} if case["token"] else {})}
    env = {}
    if own and rng.random() < 0.5:
        block["endpoints"] = {"sts": own}
    elif own:
        env["AWS_ENDPOINT_URL_STS"] = own
    if fips and not own and not region.startswith("cn-"):
        block["use_fips_endpoint"] = True
    if rng.random() < 0.3:
        block["use_dualstack_endpoint"] = True
    if rng.random() < 0.3:
        block["sts_region"] = "eu-west-3"
    if rng.random() < 0.3:
        env["AWS_STS_REGIONAL_ENDPOINTS"] = "legacy"
    known = (region, "use_fips_endpoint" in block)
    if known not in endpoints:
        endpoints[known] = sts_endpoint(*known)
    return {**case, "block": block, "env": env, "endpoint": own or endpoints[known]}


def test_eks_as_botocore(program, count, seed):
    rng, endpoints = random.Random(seed), {}
    for number in range(count):
        case = generate(rng, endpoints)
        ours = program.make("aws", case["block"], case["env"], case["at"], case["region"], case["cluster"])
        assert ours.get("token") == of_botocore(case), (number, case, ours)
        assert ours["expires"] == case["at"] + 840, ours
    assert len(endpoints) > 7, endpoints


def test_eks_credentials_that_end_sooner(program, home):
    at = int(time.time())
    ends = datetime.datetime.fromtimestamp(at + 400, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open(f"{home}/keys", "w", encoding="utf-8") as file:
        json.dump({"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ends}, file)
    with open(f"{home}/config", "w", encoding="utf-8") as file:
        file.write(f"[profile short]\ncredential_process = /bin/cat {home}/keys\n")
    made = program.make("aws", {"profile": "short"}, {"AWS_CONFIG_FILE": f"{home}/config"}, at)
    assert made["expires"] == at + 400 and made["token"], made


def test_eks_anew(program, home):
    """Credentials are resolved once, and again for a fresh token."""
    with open(f"{home}/config", "w", encoding="utf-8") as file:
        file.write(f"[profile counted]\ncredential_process = /bin/sh {home}/count\n")
    with open(f"{home}/count", "w", encoding="utf-8") as file:
        file.write(f"""echo x >> {home}/counted; echo '{{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "s"}}'\n""")
    for more, count in (({}, 1), ({"times": 3}, 2), ({"times": 3, "fresh": True}, 5)):
        program.make("aws", {"profile": "counted"}, {"AWS_CONFIG_FILE": f"{home}/config"}, **more)
        with open(f"{home}/counted", encoding="utf-8") as file:
            assert len(file.readlines()) == count, more


def test_eks_without_credentials(program):
    assert "credentials" in program.make("aws", {}, {})["error"]
    assert "region" in program.make("aws", {"access_key": "a", "secret_key": "b"}, region=None)["error"]


def test_eks_lets_its_bearer_in(ground, program):
    def look(token, cluster):
        return ground.control(f"cluster_token?token={token}&cluster={cluster}")

    block = {"access_key": "test", "secret_key": "test", "endpoints": {"sts": ground.address}}
    token = program.make("aws", block)["token"]
    seen = look(token, "c")
    assert seen["valid"] and seen["region"] == "us-east-1" and seen["arn"].endswith(":user/moto"), seen
    assert not look(token, "other")["valid"]
    assert not look(program.make("aws", block, at=int(time.time()) - 1000)["token"], "c")["valid"]
    assert not look(program.make("aws", {**block, "secret_key": "wrong"})["token"], "c")["valid"]


def test_gke(program):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = program.make("gcp", {}, {"GCE_METADATA_HOST": f"127.0.0.1:{server.server_port}"})
    assert made["token"] == "metadata-2" and abs(made["expires"] - time.time() - 3600) < 30, made
    numbers = itertools.count(1)
    answer = Server.answer
    with mock.patch.object(Server, "answer", lambda s, status, body, headers=(): answer(s, status, {**body, "access_token": f"token-{next(numbers)}"}, headers)):
        for more, token in (({"times": 2}, "token-1"), ({"times": 3, "fresh": True}, "token-4")):
            assert program.make("gcp", {}, {"GCE_METADATA_HOST": f"127.0.0.1:{server.server_port}"}, **more)["token"] == token
    server.shutdown()
    assert program.make("gcp", {"access_token": "given"}) == {"token": "given", "expires": NEVER}
    assert program.make("gcp", {"credentials": "{}"})["error"]


def main():
    count, seed = (int(x) for x in (sys.argv[2:] + ["300", "1"][len(sys.argv) - 2:]))
    with tempfile.TemporaryDirectory() as home:
        program, ground = Program(sys.argv[1], home), Ground(sys.argv[1])
        try:
            test_eks_as_botocore(program, count, seed)
            test_eks_credentials_that_end_sooner(program, home)
            test_eks_anew(program, home)
            test_eks_without_credentials(program)
            test_eks_lets_its_bearer_in(ground, program)
            test_gke(program)
        finally:
            ground.end()
            program.process.stdin.close()
        assert program.process.wait(60) == 0
    print(f"{count} tokens are as botocore makes them")


main()
