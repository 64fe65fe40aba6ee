"""Compares our signer with botocore's over generated requests, stage by stage.

Usage: sign_compare.py PROGRAM [COUNT [SEED]]   PROGRAM is the built sign_lines.
"""
import datetime
import json
import random
import subprocess
import sys
from unittest import mock
from urllib.parse import quote

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

WORDS = ["a", "b", "B", "~", "-", "_", ".", "..", "...", "%20", "%2F", "%7E", "%25", "%E1%88%B4", "+", "*", "'", "(", ")", "!", "$", ",", ";", ":", "@",
         "foo", "Bar", "example", "aws4_request", "0", "9"]
PLAIN = "abcXYZ019-_.~"
ODD = PLAIN + " +&=/?#%:@!$'()*,;\"<>[]{}|\\^`\u00e9\u1234\U0001f600"
SERVICES = ["ec2", "iam", "sts", "logs", "ssm", "secretsmanager", "servicequotas"]
REGIONS = ["us-east-1", "eu-west-3", "cn-north-1", "us-gov-west-1"]


def text(rng, alphabet, most, least=0):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(least, most)))


def path(rng):
    kind = rng.random()
    if kind < 0.2:
        return "/"
    segments = ["".join(rng.choice(WORDS) for _ in range(rng.randint(0, 3))) for _ in range(rng.randint(1, 6))]
    return "/" + "/".join(segments) + rng.choice(["", "", "/", "//"])


def query(rng):
    if rng.random() < 0.4:
        return ""
    pairs = []
    for _ in range(rng.randint(1, 6)):
        name, value = quote(text(rng, ODD, 6), safe="-_.~"), quote(text(rng, ODD, 8), safe="-_.~")
        pairs.append(rng.choice([f"{name}={value}", f"{name}={value}", name, f"{name}=", f"{name}={value}=x", ""]))
    if rng.random() < 0.3:
        pairs.append(rng.choice(pairs))
    return "&".join(pairs)


def headers(rng):
    result = []
    for _ in range(rng.randint(0, 5)):
        name = rng.choice(["Content-Type", "X-Amz-Target", "x-amz-meta-" + text(rng, "abc-", 5, 1), "X-AMZ-META-A", "My-Header1", "range"])
        value = rng.choice(["", " "]) + text(rng, "ab c  ,;=\t\"é", 12) + rng.choice(["", "  "])
        result.append([name, value])
    if result and rng.random() < 0.4:
        name, _ = rng.choice(result)
        result.append([name.swapcase(), text(rng, "xy  z", 6)])
    return result


def generate(rng):
    s3 = rng.random() < 0.4
    presigned = rng.random() < 0.2
    body = rng.choice(["", "", text(rng, ODD, 200), "Action=DescribeVpcs&Version=2016-11-15", "{}"])
    return {
        "method": rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD"]), "host": rng.choice(["example.amazonaws.com", "127.0.0.1:5000", "[::1]:8080"]),
        "path": path(rng), "query": query(rng), "headers": headers(rng), "body": "" if presigned else body, "s3": s3,
        "payload_hash": "UNSIGNED-PAYLOAD" if s3 and presigned else None,
        "expires": rng.randint(1, 604800) if presigned else 0,
        "region": rng.choice(REGIONS), "service": "s3" if s3 else rng.choice(SERVICES),
        "access_key": "AKID" + text(rng, "ABC234", 16, 4), "secret_key": text(rng, PLAIN + "/+=", 40, 1),
        "token": text(rng, PLAIN + "/+=", 60, 1) if rng.random() < 0.4 else None,
        "time": rng.randint(0, 4102444800),
    }


def of_botocore(r):
    """The stages as botocore has them."""
    credentials = Credentials(r["access_key"], r["secret_key"], r["token"])
    request = AWSRequest(r["method"], f"http://{r['host']}{r['path']}" + ("?" + r["query"] if r["query"] else ""), data=r["body"].encode())
    for name, value in r["headers"]:
        request.headers.add_header(name, value)
    args = (credentials, r["service"], r["region"])
    if r["expires"]:
        signer = (auth.S3SigV4QueryAuth if r["s3"] else auth.SigV4QueryAuth)(*args, expires=r["expires"])
    else:
        signer = (auth.S3SigV4Auth if r["s3"] else auth.SigV4Auth)(*args)
    stages = {}
    for name in ("canonical_request", "string_to_sign", "signature"):
        def recorded(*args, original=getattr(signer, name), name=name):
            stages[name] = original(*args)
            return stages[name]
        setattr(signer, name, recorded)
    now = datetime.datetime.fromtimestamp(r["time"], datetime.timezone.utc)
    with mock.patch.object(auth, "get_current_datetime", lambda *_: now):
        signer.add_auth(request)
    stages["authorization"] = request.headers.get("Authorization", "")
    stages["query"] = request.url.partition("?")[2] if r["expires"] else ""
    return stages


def main():
    program, *rest = sys.argv[1:]
    count, seed = (int(x) for x in rest + ["3000", "1"][len(rest):])
    rng = random.Random(seed)
    requests = []
    while len(requests) < count:
        r = generate(rng)
        # botocore puts a presigned URL's own query through a dictionary: repeated and empty names are lost there.
        if r["expires"]:
            names = {quote(text(rng, ODD, 6, 1), safe="-_.~") for _ in range(rng.randint(0, 4))}
            r["query"] = "&".join(f"{n}={quote(text(rng, ODD, 8), safe='-_.~')}" for n in sorted(names))
            r["headers"] = [h for h in r["headers"] if h[0].lower() != "content-type"]
        # Our signer takes "" as the path that is sent then, "/"; botocore's S3 signer leaves that to its caller.
        if rng.random() < 0.02 and not r["s3"]:
            r["path"] = ""
        requests.append(r)
    lines = "".join(json.dumps(dict(r, headers=[["host", r["host"]]] + r["headers"])) + "\n" for r in requests)
    ours = subprocess.run([program], input=lines, capture_output=True, text=True, encoding="utf-8", check=False)
    if ours.returncode != 0:
        sys.exit(f"{program} ended with status {ours.returncode}: {ours.stderr}")
    answers = [json.loads(line) for line in ours.stdout.split("\n") if line]
    if len(answers) != count:
        sys.exit(f"{len(answers)} answers for {count} requests")
    for number, (r, mine) in enumerate(zip(requests, answers)):
        theirs = of_botocore(r)
        for stage in ("canonical_request", "string_to_sign", "signature", "authorization", "query"):
            if mine[stage] != theirs[stage]:
                sys.exit(f"request {number} of seed {seed} differs in {stage}\n{json.dumps(r, indent=1)}\nours:\n{mine[stage]}\nbotocore's:\n{theirs[stage]}")
    kinds = {"s3": sum(r["s3"] for r in requests), "presigned": sum(bool(r["expires"]) for r in requests), "with token": sum(bool(r["token"]) for r in requests)}
    print(f"{count} requests signed alike: {kinds}")


main()
