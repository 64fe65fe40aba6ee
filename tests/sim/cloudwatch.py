"""CloudWatch beyond moto: the tags of alarms."""
from moto.cloudwatch.models import cloudwatch_backends
from moto.iam.models import get_account_id_from

from tests.sim.state import check, effect


def backend(request):
    return cloudwatch_backends[get_account_id_from(request.access_key)][request.region]


def arn_of(request, name):
    return f"arn:aws:cloudwatch:{request.region}:{get_account_id_from(request.access_key)}:alarm:{name}"


@check("monitoring", "PutMetricAlarm")
def tags_before(request):
    """AWS passes over the tags of a call that changes an alarm; moto adds them."""
    cloud, name = backend(request), request.params["AlarmName"]
    request.tags_before = cloud.tagger.get_tag_dict_for_resource(arn_of(request, name)) if name in cloud.alarms else None


@effect("monitoring", "PutMetricAlarm")
def tags_stay(request, output):
    cloud, arn = backend(request), arn_of(request, request.params["AlarmName"])
    if request.tags_before is not None:
        cloud.tagger.delete_all_tags_for_resource(arn)
        cloud.tagger.tag_resource(arn, [{"Key": k, "Value": v} for k, v in request.tags_before.items()])


@check("monitoring", "DeleteAlarms")
def tags_go_with_the_alarm(request):
    """moto keeps them, and gives them to the next alarm of that name."""
    for name in request.params["AlarmNames"]:
        backend(request).tagger.delete_all_tags_for_resource(arn_of(request, name))
