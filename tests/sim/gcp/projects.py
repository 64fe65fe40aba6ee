"""Resource Manager v1 and v3: projects and their policies."""
from tests.sim.gcp import aip, filters, permissions, policy
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import STATE, own


def wanted(request, parameter):
    project = STATE.project(request.path_values[parameter].removeprefix("projects/"))
    if project is None:
        raise GoogleError(403, "The caller does not have permission", status="PERMISSION_DENIED")
    return project


@own("cloudresourcemanager.projects.get")
def get(request):
    if request.method.version == "v3":
        project = wanted(request, "name")
        return {"name": f"projects/{project.number}", "projectId": project.id, "displayName": project.id, "state": project.state,
                "parent": "organizations/100000000001", "createTime": "2026-01-05T16:00:00.000Z", "etag": 'W/"2d5aa3f1"'}
    project = wanted(request, "projectId")
    return {"projectNumber": project.number, "projectId": project.id, "name": project.id, "lifecycleState": project.state,
            "createTime": "2026-01-05T16:00:00.000Z", "parent": {"type": "organization", "id": "100000000001"}}


@own("cloudresourcemanager.projects.list")
def list_projects(request):
    found = []
    for project in STATE.projects.values():
        found.append({"projectNumber": project.number, "projectId": project.id, "name": project.id, "lifecycleState": project.state}
                     if request.method.version == "v1" else
                     {"name": f"projects/{project.number}", "projectId": project.id, "state": project.state})
    return aip.page(request, filters.filtered(found, request.params.get("filter")), "projects")


@own("cloudresourcemanager.projects.getIamPolicy")
def get_policy(request):
    options = (request.body or {}).get("options") or {}
    return policy.get(wanted(request, "resource"), options.get("requestedPolicyVersion") or 1)


@own("cloudresourcemanager.projects.setIamPolicy")
def set_policy(request):
    project, given = wanted(request, "resource"), (request.body or {}).get("policy")
    if given is None:
        raise GoogleError(400, "Request contains an invalid argument: policy is required.")
    return policy.set(project, given)


@own("cloudresourcemanager.projects.testIamPermissions")
def test_permissions(request):
    wanted(request, "resource")
    return {"permissions": permissions.held((request.body or {}).get("permissions", []))}
