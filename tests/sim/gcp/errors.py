"""Errors in Google's shape: "Errors" of the Google API design guide, and the older shape with errors[].reason that Compute Engine and
Cloud Storage have."""

STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
          411: "INVALID_ARGUMENT", 412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL",
          501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
REASON = {400: "invalid", 401: "authError", 403: "forbidden", 404: "notFound", 409: "alreadyExists", 412: "conditionNotMet",
          429: "rateLimitExceeded", 500: "internalError", 501: "notImplemented", 503: "backendError", 504: "gatewayTimeout"}
HTTP_MESSAGE = {400: "BAD REQUEST", 403: "FORBIDDEN", 404: "NOT FOUND", 409: "CONFLICT", 412: "PRECONDITION FAILED", 500: "INTERNAL SERVER ERROR",
                503: "SERVICE UNAVAILABLE"}
OLD_SHAPE = ("compute", "storage", "oauth2")
# Services that answer in both shapes, with these reasons for the canonical codes.
BOTH_SHAPES = ("container",)
REASON_OF = {"INVALID_ARGUMENT": "badRequest", "FAILED_PRECONDITION": "failedPrecondition", "NOT_FOUND": "notFound", "ALREADY_EXISTS": "alreadyExists",
             "PERMISSION_DENIED": "forbidden", "ABORTED": "aborted", "UNAUTHENTICATED": "authError", "RESOURCE_EXHAUSTED": "rateLimitExceeded"}


class GoogleError(Exception):
    """Google says no. reason: of errors[]; status: the canonical code."""

    def __init__(self, code, message, reason=None, status=None, details=None, domain="global", location=None, headers=None):
        super().__init__(f"{code} {reason or status or ''}: {message}")
        self.code, self.message, self.domain, self.location, self.headers = code, message, domain, location, headers or {}
        self.reason = reason or REASON.get(code, "invalid")
        self.status = status or STATUS.get(code, "UNKNOWN")
        self.named = reason is not None
        self.details = details or []

    def body(self, service):
        error = {"code": self.code, "message": self.message}
        entry = {"message": self.message, "domain": self.domain, "reason": self.reason}
        if self.location:
            entry.update(location=self.location, locationType="parameter")
        if service in BOTH_SHAPES and not self.named:
            entry["reason"] = REASON_OF.get(self.status, self.reason)
        if service in OLD_SHAPE + BOTH_SHAPES or self.domain != "global":
            error["errors"] = [entry]
        if service not in OLD_SHAPE or self.details:
            error["status"] = self.status
        if self.details:
            error["details"] = self.details
        return {"error": error}


class OperationError(Exception):
    """An operation fails. code: that of error.errors[]; http: httpErrorStatusCode."""

    def __init__(self, code, message, http=400, details=None):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.http, self.details = code, message, http, details or []


def error_info(reason, domain="googleapis.com", **metadata):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}


def bad_request(field, description):
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": field, "description": description}]}


def not_found(name):
    """Compute Engine's."""
    return GoogleError(404, f"The resource '{name}' was not found", "notFound")


def invalid_field(field, value, why):
    """Compute Engine's."""
    return GoogleError(400, f"Invalid value for field '{field}': '{value}'. {why}", "invalid")


def service_disabled(service, project):
    host = f"{service}.googleapis.com"
    url = f"https://console.developers.google.com/apis/api/{host}/overview?project={project.number}"
    title = {"compute": "Compute Engine API", "iam": "Identity and Access Management (IAM) API", "secretmanager": "Secret Manager API",
             "logging": "Cloud Logging API", "cloudresourcemanager": "Cloud Resource Manager API"}.get(service, f"{service} API")
    message = (f"{title} has not been used in project {project.number} before or it is disabled. Enable it by visiting {url} then retry. "
               "If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.")
    details = [{"@type": "type.googleapis.com/google.rpc.Help", "links": [{"description": "Google developers console API activation", "url": url}]},
               error_info("SERVICE_DISABLED", service=host, consumer=f"projects/{project.number}", serviceTitle=title,
                          containerInfo=project.number, activationUrl=url)]
    return GoogleError(403, message, "accessNotConfigured", details=details, domain="usageLimits")
