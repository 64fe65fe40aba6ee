"""CloudWatch beyond moto: the tags of alarms and dashboards."""
from moto.cloudwatch.models import cloudwatch_backends
from moto.iam.models import get_account_id_from

from tests.sim.state import Refused, check, effect, own


def backend(request):
    return cloudwatch_backends[get_account_id_from(request.access_key)][request.region]


def arns_of(request):
    """The ARNs of what the account has in the region, and of the names that a call has."""
    account = get_account_id_from(request.access_key)
    alarm, dashboard = f"arn:aws:cloudwatch:{request.region}:{account}:alarm:{{}}".format, f"arn:aws:cloudwatch::{account}:dashboard/{{}}".format
    names = [alarm(n) for n in request.params.get("AlarmNames", [])] + [dashboard(n) for n in request.params.get("DashboardNames", [])]
    names += [f(request.params[k]) for k, f in (("AlarmName", alarm), ("DashboardName", dashboard)) if k in request.params]
    return [*map(alarm, backend(request).alarms), *map(dashboard, backend(request).dashboards)], names


@check("monitoring", "PutMetricAlarm", "PutDashboard")
def tags_before(request):
    existing, [arn] = arns_of(request)
    request.tags_before = backend(request).tagger.get_tag_dict_for_resource(arn) if arn in existing else None


@effect("monitoring", "PutMetricAlarm", "PutDashboard")
def tags_of_what_is_new(request, output):
    """AWS passes over the tags of a call that changes what exists; moto adds them, and knows none of dashboards."""
    tagger, [arn] = backend(request).tagger, arns_of(request)[1]
    kept = request.tags_before
    tagger.delete_all_tags_for_resource(arn)
    tagger.tag_resource(arn, request.params.get("Tags", []) if kept is None else [{"Key": k, "Value": v} for k, v in kept.items()])


@effect("monitoring", "DeleteAlarms", "DeleteDashboards")
def tags_go_too(request, output):
    """moto keeps them, and gives them to the next of that name."""
    for arn in arns_of(request)[1]:
        backend(request).tagger.delete_all_tags_for_resource(arn)


def tagged(request):
    if request.params["ResourceARN"] not in arns_of(request)[0]:
        raise Refused("ResourceNotFoundException", f"Unknown: {request.params['ResourceARN']}", 404)
    return backend(request).tagger, request.params["ResourceARN"]


@own("monitoring", "TagResource")
def tag_resource(request):
    tagger, arn = tagged(request)
    tagger.tag_resource(arn, request.params["Tags"])
    return {}


@own("monitoring", "UntagResource")
def untag_resource(request):
    tagger, arn = tagged(request)
    tagger.untag_resource_using_names(arn, request.params["TagKeys"])
    return {}


@own("monitoring", "ListTagsForResource")
def list_tags(request):
    tagger, arn = tagged(request)
    return {"Tags": [{"Key": k, "Value": v} for k, v in tagger.get_tag_dict_for_resource(arn).items()]}
