/* The table of AWS error codes.
 * Sources: EC2 API Reference, "Error codes"; IAM, STS, CloudWatch Logs, Secrets Manager, Systems
 * Manager, Service Quotas, EKS, ECR, CloudWatch, SageMaker and Application Auto Scaling API
 * references, "Common errors"; SDKs and Tools Reference Guide, "Retry behavior". */
#include "aws/errors.h"

#include <string.h>

struct code_class {
    const char *code; /* a trailing '*' matches any rest, a leading one any beginning */
    enum cloud_error_class class_;
};

/* The first match counts. */
static const struct code_class codes[] = {
    /* no machines now */
    {"InsufficientInstanceCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientHostCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientReservedInstanceCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientReservedInstancesCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientCapacityOnHost", CLOUD_ERROR_CAPACITY},
    {"InsufficientAddressCapacity", CLOUD_ERROR_CAPACITY},
    {"SpotMaxPriceTooLow", CLOUD_ERROR_CAPACITY},
    {"ReservationCapacityExceeded", CLOUD_ERROR_CAPACITY},
    {"UnfulfillableCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientVolumeCapacity", CLOUD_ERROR_CAPACITY},
    {"InsufficientFreeAddressesInSubnet", CLOUD_ERROR_CAPACITY},
    {"SpotInstanceCapacityNotAvailable", CLOUD_ERROR_CAPACITY},
    /* no more for this account */
    {"VcpuLimitExceeded", CLOUD_ERROR_QUOTA},
    {"MaxSpotInstanceCountExceeded", CLOUD_ERROR_QUOTA},
    {"InstanceLimitExceeded", CLOUD_ERROR_QUOTA},
    {"ServiceQuotaExceededException", CLOUD_ERROR_QUOTA},
    {"MaxIOPSLimitExceeded", CLOUD_ERROR_QUOTA},
    {"PendingVerification", CLOUD_ERROR_QUOTA},
    {"OptInRequired", CLOUD_ERROR_PERMISSION},
    /* slower: before the quotas, whose names end alike */
    {"RequestLimitExceeded", CLOUD_ERROR_THROTTLED},
    {"BandwidthLimitExceeded", CLOUD_ERROR_THROTTLED},
    {"Throttling", CLOUD_ERROR_THROTTLED},
    {"ThrottlingException", CLOUD_ERROR_THROTTLED},
    {"ThrottledException", CLOUD_ERROR_THROTTLED},
    {"RequestThrottled", CLOUD_ERROR_THROTTLED},
    {"RequestThrottledException", CLOUD_ERROR_THROTTLED},
    {"TooManyRequestsException", CLOUD_ERROR_THROTTLED},
    {"ProvisionedThroughputExceededException", CLOUD_ERROR_THROTTLED},
    {"TransactionInProgressException", CLOUD_ERROR_THROTTLED},
    {"PriorRequestNotComplete", CLOUD_ERROR_THROTTLED},
    {"SlowDown", CLOUD_ERROR_THROTTLED},
    {"EC2ThrottledException", CLOUD_ERROR_THROTTLED},
    {"TooManyUpdates", CLOUD_ERROR_THROTTLED},
    {"*LimitExceededException", CLOUD_ERROR_QUOTA},
    {"*LimitExceeded", CLOUD_ERROR_QUOTA},
    {"*QuotaExceededException", CLOUD_ERROR_QUOTA},
    {"*QuotaExceeded", CLOUD_ERROR_QUOTA},
    /* not offered here */
    {"Unsupported", CLOUD_ERROR_UNSUPPORTED},
    {"UnsupportedOperation", CLOUD_ERROR_UNSUPPORTED},
    {"UnsupportedInstanceAttribute", CLOUD_ERROR_UNSUPPORTED},
    {"UnsupportedAvailabilityZoneException", CLOUD_ERROR_UNSUPPORTED},
    {"InvalidAvailabilityZone", CLOUD_ERROR_UNSUPPORTED},
    {"VolumeTypeNotAvailableInZone", CLOUD_ERROR_UNSUPPORTED},
    {"UnsupportedHibernationConfiguration", CLOUD_ERROR_UNSUPPORTED},
    /* who are you */
    {"AuthFailure", CLOUD_ERROR_CREDENTIALS},
    {"ExpiredToken", CLOUD_ERROR_CREDENTIALS},
    {"ExpiredTokenException", CLOUD_ERROR_CREDENTIALS},
    {"InvalidClientTokenId", CLOUD_ERROR_CREDENTIALS},
    {"InvalidAccessKeyId", CLOUD_ERROR_CREDENTIALS},
    {"InvalidToken", CLOUD_ERROR_CREDENTIALS},
    {"InvalidIdentityToken", CLOUD_ERROR_CREDENTIALS},
    {"IDPRejectedClaim", CLOUD_ERROR_CREDENTIALS},
    {"MissingAuthenticationToken", CLOUD_ERROR_CREDENTIALS},
    {"MissingAuthenticationTokenException", CLOUD_ERROR_CREDENTIALS},
    {"IncompleteSignature", CLOUD_ERROR_CREDENTIALS},
    {"IncompleteSignatureException", CLOUD_ERROR_CREDENTIALS},
    {"InvalidSignatureException", CLOUD_ERROR_CREDENTIALS},
    {"SignatureDoesNotMatch", CLOUD_ERROR_CREDENTIALS},
    {"UnrecognizedClientException", CLOUD_ERROR_CREDENTIALS},
    {"RequestExpired", CLOUD_ERROR_CREDENTIALS},
    {"RequestTimeTooSkewed", CLOUD_ERROR_CREDENTIALS},
    {"UnauthorizedException", CLOUD_ERROR_CREDENTIALS},
    /* you may not */
    {"UnauthorizedOperation", CLOUD_ERROR_PERMISSION},
    {"AccessDenied", CLOUD_ERROR_PERMISSION},
    {"*AccessDeniedException", CLOUD_ERROR_PERMISSION}, /* KMSAccessDeniedException … */
    {"AllAccessDisabled", CLOUD_ERROR_PERMISSION},
    {"Blocked", CLOUD_ERROR_PERMISSION},
    {"NotAuthorized", CLOUD_ERROR_PERMISSION},
    {"FailedResourceAccessException", CLOUD_ERROR_PERMISSION},
    {"OperationNotPermitted", CLOUD_ERROR_PERMISSION},
    {"ForbiddenException", CLOUD_ERROR_PERMISSION},
    /* not there */
    {"NoSuchEntity", CLOUD_ERROR_NOT_FOUND},
    {"ResourceNotFoundException", CLOUD_ERROR_NOT_FOUND},
    {"ParameterNotFound", CLOUD_ERROR_NOT_FOUND},
    {"NoSuchResourceException", CLOUD_ERROR_NOT_FOUND},
    {"NatGatewayNotFound", CLOUD_ERROR_NOT_FOUND},
    {"ResourceNotFound", CLOUD_ERROR_NOT_FOUND},
    {"NoSuchBucket", CLOUD_ERROR_NOT_FOUND},
    {"NoSuchKey", CLOUD_ERROR_NOT_FOUND},
    {"NoSuchEntityException", CLOUD_ERROR_NOT_FOUND},
    {"NoSuchUpload", CLOUD_ERROR_NOT_FOUND},
    {"Gateway.NotAttached", CLOUD_ERROR_NOT_FOUND},
    {"*.NotFound", CLOUD_ERROR_NOT_FOUND},
    {"*NotFoundException", CLOUD_ERROR_NOT_FOUND},
    /* still used */
    {"DependencyViolation", CLOUD_ERROR_DEPENDENCY},
    {"DeleteConflict", CLOUD_ERROR_DEPENDENCY},
    {"VolumeInUse", CLOUD_ERROR_DEPENDENCY},
    {"InvalidIPAddress.InUse", CLOUD_ERROR_DEPENDENCY},
    {"InvalidGroup.InUse", CLOUD_ERROR_DEPENDENCY},
    {"InvalidNetworkInterface.InUse", CLOUD_ERROR_DEPENDENCY},
    {"ResourceInUse", CLOUD_ERROR_DEPENDENCY},
    {"ResourceInUseException", CLOUD_ERROR_DEPENDENCY},
    {"BucketNotEmpty", CLOUD_ERROR_DEPENDENCY},
    {"RepositoryNotEmptyException", CLOUD_ERROR_DEPENDENCY},
    /* exists, or is being changed */
    {"EntityAlreadyExists", CLOUD_ERROR_CONFLICT},
    {"ResourceAlreadyExistsException", CLOUD_ERROR_CONFLICT},
    {"ResourceExistsException", CLOUD_ERROR_CONFLICT},
    {"ConcurrentModification", CLOUD_ERROR_CONFLICT},
    {"ConcurrentModificationException", CLOUD_ERROR_CONFLICT},
    {"ConcurrentUpdateException", CLOUD_ERROR_CONFLICT},
    {"OperationAbortedException", CLOUD_ERROR_CONFLICT},
    {"EntityTemporarilyUnmodifiable", CLOUD_ERROR_CONFLICT},
    {"IdempotentParameterMismatch", CLOUD_ERROR_CONFLICT},
    {"IncorrectState", CLOUD_ERROR_CONFLICT},
    {"IncorrectInstanceState", CLOUD_ERROR_CONFLICT},
    {"IncorrectModificationState", CLOUD_ERROR_CONFLICT},
    {"*.Duplicate", CLOUD_ERROR_CONFLICT},
    {"Resource.AlreadyAssociated", CLOUD_ERROR_CONFLICT},
    {"InvalidState", CLOUD_ERROR_CONFLICT},
    {"BucketAlreadyOwnedByYou", CLOUD_ERROR_CONFLICT},
    {"OperationAborted", CLOUD_ERROR_CONFLICT},
    {"ConflictException", CLOUD_ERROR_CONFLICT},
    {"*AlreadyExists", CLOUD_ERROR_CONFLICT},
    {"*AlreadyExistsException", CLOUD_ERROR_CONFLICT},
    /* broken for the moment */
    {"InternalError", CLOUD_ERROR_TRANSIENT},
    {"InternalFailure", CLOUD_ERROR_TRANSIENT},
    {"InternalServiceError", CLOUD_ERROR_TRANSIENT},
    {"InternalServiceException", CLOUD_ERROR_TRANSIENT},
    {"InternalServerError", CLOUD_ERROR_TRANSIENT},
    {"ServerInternal", CLOUD_ERROR_TRANSIENT},
    {"ServiceFailure", CLOUD_ERROR_TRANSIENT},
    {"ServerException", CLOUD_ERROR_TRANSIENT},
    {"ServiceException", CLOUD_ERROR_TRANSIENT},
    {"ServiceUnavailable", CLOUD_ERROR_TRANSIENT},
    {"ServiceUnavailableException", CLOUD_ERROR_TRANSIENT},
    {"Unavailable", CLOUD_ERROR_TRANSIENT},
    {"RequestTimeout", CLOUD_ERROR_TRANSIENT},
    {"RequestTimeoutException", CLOUD_ERROR_TRANSIENT},
    {"IDPCommunicationError", CLOUD_ERROR_TRANSIENT},
    {"OpenIdIdpCommunicationError", CLOUD_ERROR_TRANSIENT},
    {"Internal", CLOUD_ERROR_TRANSIENT},
    /* the request is wrong */
    {"Invalid*", CLOUD_ERROR_INVALID},
    {"Missing*", CLOUD_ERROR_INVALID},
    {"MalformedPolicyDocument", CLOUD_ERROR_INVALID},
    {"ValidationError", CLOUD_ERROR_INVALID},
    {"ValidationException", CLOUD_ERROR_INVALID},
    {"UnknownParameter", CLOUD_ERROR_INVALID},
};

static bool matches(const char *pattern, const char *code)
{
    size_t n = strlen(pattern), len = strlen(code);
    if (pattern[0] == '*')
        return len >= n - 1 && strcmp(code + len - (n - 1), pattern + 1) == 0;
    if (pattern[n - 1] == '*')
        return strncmp(code, pattern, n - 1) == 0;
    return strcmp(pattern, code) == 0;
}

enum cloud_error_class aws_classify(const char *service, const char *code, int http_status)
{
    (void)service;
    /* An instance's state reason has the code of the error behind a prefix. */
    if (code && strncmp(code, "Server.", 7) == 0)
        code += 7;
    for (size_t i = 0; code && i < sizeof(codes) / sizeof(*codes); i++)
        if (matches(codes[i].code, code))
            return codes[i].class_;
    if (http_status == 429)
        return CLOUD_ERROR_THROTTLED;
    if (http_status == 401)
        return CLOUD_ERROR_CREDENTIALS;
    if (http_status == 403)
        return CLOUD_ERROR_PERMISSION;
    if (http_status == 404)
        return CLOUD_ERROR_NOT_FOUND;
    return http_status >= 500 ? CLOUD_ERROR_TRANSIENT : CLOUD_ERROR_OTHER;
}

bool aws_is_clock_skew(const char *code)
{
    static const char *const skew[] = {
        "RequestTimeTooSkewed",  "RequestExpired", "InvalidSignatureException",
        "SignatureDoesNotMatch", "AuthFailure",    "RequestInTheFuture"};
    for (size_t i = 0; code && i < sizeof(skew) / sizeof(*skew); i++)
        if (strcmp(skew[i], code) == 0)
            return true;
    return false;
}
