"""A fast, small stand-in for the AWS calls of llm_gpu_node, for load alone: it keeps objects in dictionaries, checks nothing,
and answers thousands of calls a second, so that what is measured is the provider. `--rate N` answers at most N calls a second
and throttles the others as EC2 does. GET /_stub/ tells what was called.

Usage: python tests/bench/stub.py [--rate N] [--delay-ms N]; prints its port.
"""
import argparse
import asyncio
import collections
import itertools
import json
import re
import time
import urllib.parse
from xml.sax.saxutils import escape

ACCOUNT, ZONES, TYPES = "123456789012", "abc", ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
SETS = {  # Describe operation: (set in the answer, id member, prefix of ids, id filter)
    "DescribeVpcs": ("vpcSet", "vpcId", "vpc", "vpc-id"), "DescribeSubnets": ("subnetSet", "subnetId", "subnet", "subnet-id"),
    "DescribeInternetGateways": ("internetGatewaySet", "internetGatewayId", "igw", "internet-gateway-id"),
    "DescribeRouteTables": ("routeTableSet", "routeTableId", "rtb", "route-table-id"),
    "DescribeAddresses": ("addressesSet", "allocationId", "eipalloc", "allocation-id"),
    "DescribeNatGateways": ("natGatewaySet", "natGatewayId", "nat", "nat-gateway-id"),
    "DescribeSecurityGroups": ("securityGroupInfo", "groupId", "sg", "group-id"),
    "DescribeVolumes": ("volumeSet", "volumeId", "vol", "volume-id"), "DescribeInstances": ("reservationSet", "instanceId", "i", "instance-id")}

GONE = {"vpc": "InvalidVpcID.NotFound", "subnet": "InvalidSubnetID.NotFound", "igw": "InvalidInternetGatewayID.NotFound", "rtb": "InvalidRouteTableID.NotFound",
        "rtbassoc": "InvalidAssociationID.NotFound", "eipalloc": "InvalidAllocationID.NotFound", "nat": "NatGatewayNotFound",
        "sg": "InvalidGroup.NotFound", "vol": "InvalidVolume.NotFound", "i": "InvalidInstanceID.NotFound"}


class Throttled(Exception):
    pass


class NotFound(Exception):
    pass


class Cloud:
    def __init__(self, rate):
        self.ids, self.objects, self.owned, self.named = itertools.count(1), {}, collections.defaultdict(set), {}
        self.associations, self.calls, self.throttled, self.connections = {}, collections.Counter(), 0, 0
        self.rate, self.level, self.filled = rate, float(rate), time.monotonic()

    def take(self):
        """A token bucket of one second's calls."""
        if not self.rate:
            return
        now = time.monotonic()
        self.level, self.filled = min(self.rate, self.level + (now - self.filled) * self.rate), now
        if self.level < 1:
            self.throttled += 1
            raise Throttled
        self.level -= 1

    # ---- EC2 ----

    def make(self, prefix, tags, **members):
        identifier = f"{prefix}-{next(self.ids):017x}"
        o = {**members, "tagSet": [{"key": k, "value": v} for k, v in tags.items()]}
        self.objects[identifier] = o
        if "llm:resource" in tags:
            self.owned[prefix, tags["llm:resource"], tags["llm:component"]].add(identifier)
        return identifier, o

    def select(self, operation, filters):
        _, member, prefix, by_id = SETS[operation]
        if by_id in filters:
            found = filters[by_id]
        elif "tag:llm:resource" in filters and "tag:llm:component" in filters:
            found = self.owned[prefix, filters["tag:llm:resource"][0], filters["tag:llm:component"][0]]
        elif "association.subnet-id" in filters:
            found = [t for t, a in self.associations.values() if a["subnetId"] in filters["association.subnet-id"]]
        elif "association.route-table-association-id" in filters:
            found = [self.associations[a][0] for a in filters["association.route-table-association-id"] if a in self.associations]
        else:
            found = []
        return [self.objects[i] for i in found if i in self.objects]

    def ec2(self, operation, p):
        filters, tags = {}, {}
        for n in itertools.count(1):
            if f"Filter.{n}.Name" not in p:
                break
            filters[p[f"Filter.{n}.Name"]] = [v for k, v in p.items() if k.startswith(f"Filter.{n}.Value.")]
        for spec in ("TagSpecification.1.Tag", "TagSpecification.2.Tag"):
            for n in itertools.count(1):
                if f"{spec}.{n}.Key" not in p:
                    break
                tags[p[f"{spec}.{n}.Key"]] = p[f"{spec}.{n}.Value"]
            if tags:
                break
        if operation in SETS:
            found = self.select(operation, filters)
            if operation == "DescribeInstances":
                found = [{"instancesSet": [o]} for o in found]
            return {SETS[operation][0]: found}
        return getattr(self, operation)(p, tags) or {"return": "true"}

    def DescribeInstanceTypeOfferings(self, p, tags):
        types = [v for k, v in p.items() if k.startswith("Filter.1.Value.")]
        return {"instanceTypeOfferingSet": [{"instanceType": t, "locationType": "availability-zone", "location": f"us-east-1{z}"} for t in types if t in TYPES
                                            for z in ZONES]}

    def CreateVpc(self, p, tags):
        i, o = self.make("vpc", tags, state="available", cidrBlock=p["CidrBlock"])
        o["vpcId"] = i
        return {"vpc": o}

    def ModifyVpcAttribute(self, p, tags):
        self.objects[p["VpcId"]]["_dns"] = p["EnableDnsHostnames.Value"]

    def DescribeVpcAttribute(self, p, tags):
        return {"vpcId": p["VpcId"], "enableDnsHostnames": {"value": self.objects[p["VpcId"]].get("_dns", "false")}}

    def CreateSubnet(self, p, tags):
        i, o = self.make("subnet", tags, state="available", vpcId=p["VpcId"], cidrBlock=p["CidrBlock"], availabilityZone=p["AvailabilityZone"])
        o["subnetId"] = i
        return {"subnet": o}

    def CreateInternetGateway(self, p, tags):
        i, o = self.make("igw", tags, attachmentSet=[])
        o["internetGatewayId"] = i
        return {"internetGateway": o}

    def AttachInternetGateway(self, p, tags):
        self.objects[p["InternetGatewayId"]]["attachmentSet"] = [{"vpcId": p["VpcId"], "state": "available"}]

    def CreateRouteTable(self, p, tags):
        i, o = self.make("rtb", tags, vpcId=p["VpcId"], routeSet=[], associationSet=[])
        o["routeTableId"] = i
        return {"routeTable": o}

    def CreateRoute(self, p, tags):
        route = {"destinationCidrBlock": p["DestinationCidrBlock"], "state": "active"}
        route.update({"gatewayId": p["GatewayId"]} if "GatewayId" in p else {"natGatewayId": p["NatGatewayId"]})
        self.objects[p["RouteTableId"]]["routeSet"].append(route)

    def AssociateRouteTable(self, p, tags):
        i = f"rtbassoc-{next(self.ids):017x}"
        a = {"routeTableAssociationId": i, "routeTableId": p["RouteTableId"], "subnetId": p["SubnetId"], "main": "false"}
        self.associations[i] = (p["RouteTableId"], a)
        self.objects[p["RouteTableId"]]["associationSet"].append(a)
        return {"associationId": i}

    def DisassociateRouteTable(self, p, tags):
        table, a = self.associations.pop(p["AssociationId"])
        self.objects[table]["associationSet"].remove(a)

    def AllocateAddress(self, p, tags):
        i, o = self.make("eipalloc", tags, publicIp="198.51.100.7", domain="vpc")
        o["allocationId"] = i
        return o

    def CreateNatGateway(self, p, tags):
        i, o = self.make("nat", tags, state="available", subnetId=p["SubnetId"], natGatewayAddressSet=[{"allocationId": p["AllocationId"]}])
        o["natGatewayId"] = i
        return {"natGateway": o}

    def CreateSecurityGroup(self, p, tags):
        i, o = self.make("sg", tags, groupName=p["GroupName"], groupDescription=p["GroupDescription"], vpcId=p["VpcId"])
        o["groupId"] = i
        return {"groupId": i}

    def RunInstances(self, p, tags):
        subnet = self.objects[p["SubnetId"]]
        i, o = self.make("i", tags, imageId=p["ImageId"], instanceType=p["InstanceType"], placement={"availabilityZone": subnet["availabilityZone"]},
                         subnetId=p["SubnetId"], groupSet=[{"groupId": p["SecurityGroupId.1"]}], instanceState={"code": "16", "name": "running"},
                         privateIpAddress="10.42.32.4")
        o["instanceId"] = i
        return {"instancesSet": [o]}

    def CreateTags(self, p, tags):
        for resource in (v for k, v in p.items() if k.startswith("ResourceId.")):
            kept = {t["key"]: t["value"] for t in self.objects[resource]["tagSet"]}
            kept.update({v: p[k[:-3] + "Value"] for k, v in p.items() if k.startswith("Tag.") and k.endswith(".Key")})
            self.objects[resource]["tagSet"] = [{"key": k, "value": v} for k, v in kept.items()]

    def DeleteTags(self, p, tags):
        gone = {v for k, v in p.items() if k.startswith("Tag.") and k.endswith(".Key")}
        for resource in (v for k, v in p.items() if k.startswith("ResourceId.")):
            self.objects[resource]["tagSet"] = [t for t in self.objects[resource]["tagSet"] if t["key"] not in gone]

    def StopInstances(self, p, tags):
        self.objects[p["InstanceId.1"]]["instanceState"] = {"code": "80", "name": "stopped"}

    def CreateVolume(self, p, tags):
        i, o = self.make("vol", tags, status="available", availabilityZone=p["AvailabilityZone"], size=p["Size"], volumeType=p["VolumeType"],
                         encrypted=p["Encrypted"], iops="3000", throughput="125", attachmentSet=[])
        o["volumeId"] = i
        return o

    def AttachVolume(self, p, tags):
        self.objects[p["VolumeId"]].update(status="in-use", attachmentSet=[{"instanceId": p["InstanceId"], "device": p["Device"], "status": "attached"}])

    def DetachVolume(self, p, tags):
        self.objects[p["VolumeId"]].update(status="available", attachmentSet=[])

    def forget(self, p, tags):
        o = self.objects.pop(next(v for k, v in p.items() if k.endswith("Id") or k == "InstanceId.1"), None)
        tags = {t["key"]: t["value"] for t in (o or {}).get("tagSet", [])}
        for prefix in {s[2] for s in SETS.values()}:
            self.owned.pop((prefix, tags.get("llm:resource"), tags.get("llm:component")), None)

    DeleteVpc = DeleteSubnet = DeleteInternetGateway = DeleteRouteTable = ReleaseAddress = DeleteSecurityGroup = DeleteVolume = DeleteNatGateway = TerminateInstances = forget

    def DetachInternetGateway(self, p, tags):
        self.objects[p["InternetGatewayId"]]["attachmentSet"] = []

    # ---- IAM and STS ----

    def query(self, operation, p):
        if operation == "GetCallerIdentity":
            return {"Account": ACCOUNT, "UserId": "AIDATEST", "Arn": f"arn:aws:iam::{ACCOUNT}:user/test"}
        kind = "profile" if "InstanceProfile" in operation else "role"
        name = p["InstanceProfileName" if kind == "profile" else "RoleName"]
        if operation.startswith("Create"):
            tags = [{"Key": p[f"Tags.member.{n}.Key"], "Value": p[f"Tags.member.{n}.Value"]} for n in itertools.takewhile(lambda n: f"Tags.member.{n}.Key" in p, itertools.count(1))]
            self.named[kind, name] = ({"InstanceProfileName": name, "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}", "Roles": [], "Tags": tags}
                                      if kind == "profile" else
                                      {"RoleName": name, "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "Description": p.get("Description", ""), "Tags": tags,
                                       "AssumeRolePolicyDocument": urllib.parse.quote(p["AssumeRolePolicyDocument"])})
        o = self.named.get((kind, name))
        if o is None:
            raise NotFound
        if operation == "PutRolePolicy":
            o["_policy"] = p["PolicyDocument"]
        elif operation == "GetRolePolicy":
            if "_policy" not in o:
                raise NotFound
            return {"RoleName": name, "PolicyName": p["PolicyName"], "PolicyDocument": urllib.parse.quote(o["_policy"])}
        elif operation == "AddRoleToInstanceProfile":
            o["Roles"] = [{"RoleName": p["RoleName"], "Arn": f"arn:aws:iam::{ACCOUNT}:role/{p['RoleName']}"}]
        elif operation == "RemoveRoleFromInstanceProfile":
            o["Roles"] = []
        elif operation in ("DeleteRole", "DeleteInstanceProfile"):
            del self.named[kind, name]
        return {"InstanceProfile" if kind == "profile" else "Role": o}

    # ---- JSON ----

    def json(self, operation, p):
        if operation == "GetServiceQuota":
            return {"Quota": {"QuotaCode": p["QuotaCode"], "Value": 1e6}}
        if operation == "GetParameter":
            return {"Parameter": {"Name": p["Name"], "Type": "String", "Value": "ami-0123456789abcdef0"}}
        if operation.endswith("Secret"):
            name = p.get("Name") or p["SecretId"].split(":secret:")[-1]
            if operation == "CreateSecret":
                self.named["secret", name] = {"ARN": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}", "Name": name, "Tags": p["Tags"], "Description": p.get("Description")}
            if ("secret", name) not in self.named:
                raise NotFound
            return self.named.pop(("secret", name)) if operation == "DeleteSecret" else self.named["secret", name]
        name = p.get("logGroupName") or p.get("logGroupNamePrefix") or p.get("resourceArn", "").split(":log-group:")[-1]
        group = self.named.get(("log", name))
        if operation == "CreateLogGroup":
            self.named["log", name] = {"logGroupName": name, "logGroupArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}", "_tags": p["tags"]}
        elif operation == "PutRetentionPolicy":
            group["retentionInDays"] = p["retentionInDays"]
        elif operation == "DescribeLogGroups":
            return {"logGroups": [group] if group else []}
        elif operation == "ListTagsForResource" and group is None:
            raise NotFound
        elif operation == "ListTagsForResource":
            return {"tags": group["_tags"]}
        elif operation == "DeleteLogGroup":
            self.named.pop(("log", name), None)
        return {}


def xml(value, item):
    if isinstance(value, dict):
        return "".join(f"<{k}>{xml(v, item)}</{k}>" for k, v in value.items() if not k.startswith("_"))
    if isinstance(value, list):
        return "".join(f"<{item}>{xml(v, item)}</{item}>" for v in value)
    return escape(str(value))


def plain(value):
    return {k: v for k, v in value.items() if not k.startswith("_")} if isinstance(value, dict) else value


def answer(cloud, target, body):
    """(status, content type, bytes)."""
    if target:
        operation = target.split(".")[-1]
        cloud.calls[operation] += 1
        try:
            cloud.take()
            result = cloud.json(operation, json.loads(body))
        except Throttled:
            return 400, "application/x-amz-json-1.1", b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
        except NotFound:
            return 400, "application/x-amz-json-1.1", b'{"__type":"ResourceNotFoundException","message":"not found"}'
        return 200, "application/x-amz-json-1.1", json.dumps({k: [plain(o) for o in v] if isinstance(v, list) else v for k, v in result.items()}).encode()
    p = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    operation = p["Action"]
    ec2 = p["Version"] == "2016-11-15"
    cloud.calls[operation] += 1
    try:
        cloud.take()
        if ec2:
            return 200, "text/xml", f"<{operation}Response><requestId>r</requestId>{xml(cloud.ec2(operation, p), 'item')}</{operation}Response>".encode()
        return 200, "text/xml", f"<{operation}Response><{operation}Result>{xml(cloud.query(operation, p), 'member')}</{operation}Result></{operation}Response>".encode()
    except Throttled:
        code = "RequestLimitExceeded" if ec2 else "Throttling"
        error = f"<Error><Code>{code}</Code><Message>Request limit exceeded.</Message></Error>"
        return (503 if ec2 else 400), "text/xml", (f"<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>" if ec2 else
                                                   f"<ErrorResponse>{error}</ErrorResponse>").encode()
    except KeyError as error:
        if not ec2 or str(error.args[0]).partition("-")[0] not in GONE:
            raise
        code = GONE[str(error.args[0]).partition("-")[0]]
        return 400, "text/xml", (f"<Response><Errors><Error><Code>{code}</Code><Message>{error.args[0]} does not exist</Message></Error></Errors>"
                                 "<RequestID>r</RequestID></Response>").encode()
    except NotFound:
        return 404, "text/xml", b"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>not found</Message></Error></ErrorResponse>"


class Connection(asyncio.Protocol):
    def __init__(self, cloud, delay):
        self.cloud, self.delay, self.data = cloud, delay, b""

    def connection_made(self, transport):
        self.transport = transport
        self.cloud.connections += 1

    def data_received(self, data):
        self.data += data
        while True:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            need = int(length[1]) if length else 0
            if not end or len(rest) < need:
                return
            self.data = rest[need:]
            if b"/_stub/" in head[:60]:
                c = self.cloud
                self.send(200, "application/json", json.dumps({"calls": c.calls, "throttled": c.throttled, "connections": c.connections,
                                                               "objects": len(c.objects) + len(c.associations) + len(c.named)}).encode())
                continue
            target = re.search(rb"(?i)\r\nx-amz-target: *([^\r]+)", head)
            result = answer(self.cloud, target[1].decode() if target else None, rest[:need])
            if self.delay:
                asyncio.get_event_loop().call_later(self.delay, self.send, *result)
            else:
                self.send(*result)

    def send(self, status, kind, body):
        if not self.transport.is_closing():
            self.transport.write(f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    cloud = Cloud(options.rate)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(cloud, options.delay_ms / 1000), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
