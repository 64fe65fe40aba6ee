/* AWS error codes and their classes. */
#include "aws_test.h"

#include "aws/errors.h"

struct expected {
    enum cloud_error_class class_;
    const char *codes[24];
};

static const struct expected table[] = {
    {CLOUD_ERROR_CAPACITY,
     {"InsufficientInstanceCapacity", "InsufficientHostCapacity",
      "InsufficientReservedInstanceCapacity", "InsufficientCapacityOnHost", "SpotMaxPriceTooLow",
      "InsufficientAddressCapacity", "InsufficientVolumeCapacity", "ReservationCapacityExceeded",
      "InsufficientFreeAddressesInSubnet", "Server.InsufficientInstanceCapacity"}},
    {CLOUD_ERROR_QUOTA,
     {"VcpuLimitExceeded",
      "InstanceLimitExceeded",
      "MaxSpotInstanceCountExceeded",
      "VpcLimitExceeded",
      "AddressLimitExceeded",
      "NatGatewayLimitExceeded",
      "SubnetLimitExceeded",
      "InternetGatewayLimitExceeded",
      "RouteTableLimitExceeded",
      "SecurityGroupLimitExceeded",
      "RulesPerSecurityGroupLimitExceeded",
      "VolumeLimitExceeded",
      "MaxIOPSLimitExceeded",
      "LimitExceeded",
      "LimitExceededException",
      "ServiceQuotaExceededException",
      "ParameterLimitExceeded",
      "ResourceLimitExceeded",
      "HierarchyLevelLimitExceededException",
      "QuotaExceededException"}},
    {CLOUD_ERROR_UNSUPPORTED,
     {"Unsupported", "UnsupportedOperation", "InvalidAvailabilityZone",
      "VolumeTypeNotAvailableInZone"}},
    /* all of the SDKs' throttling codes but LimitExceededException, which is a quota where it is
     * met here */
    {CLOUD_ERROR_THROTTLED,
     {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
      "TooManyRequestsException", "ProvisionedThroughputExceededException",
      "TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded",
      "RequestThrottled", "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException",
      "TooManyUpdates"}},
    {CLOUD_ERROR_TRANSIENT,
     {"RequestTimeout", "RequestTimeoutException", "InternalError", "InternalFailure",
      "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException", "Unavailable",
      "IDPCommunicationError", "ServiceFailure", "InternalServiceException"}},
    {CLOUD_ERROR_CREDENTIALS,
     {"AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
      "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
      "RequestExpired", "RequestTimeTooSkewed", "InvalidAccessKeyId", "IncompleteSignature",
      "MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidToken",
      "InvalidIdentityToken"}},
    {CLOUD_ERROR_PERMISSION,
     {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "KMSAccessDeniedException",
      "OptInRequired", "Blocked", "ForbiddenException", "FailedResourceAccessException"}},
    {CLOUD_ERROR_NOT_FOUND,
     {"InvalidVpcID.NotFound", "InvalidInstanceID.NotFound", "InvalidGroup.NotFound",
      "InvalidAllocationID.NotFound", "InvalidRoute.NotFound", "InvalidPermission.NotFound",
      "NatGatewayNotFound", "Gateway.NotAttached", "NoSuchEntity", "NoSuchEntityException",
      "ResourceNotFoundException", "ParameterNotFound", "NoSuchResourceException", "NoSuchBucket",
      "NoSuchKey", "RepositoryNotFoundException", "ResourceNotFound",
      "LifecyclePolicyNotFoundException", "InvalidLaunchTemplateId.NotFound"}},
    {CLOUD_ERROR_CONFLICT,
     {"EntityAlreadyExists", "ResourceAlreadyExistsException", "ResourceExistsException",
      "ParameterAlreadyExists", "RouteAlreadyExists", "InvalidGroup.Duplicate",
      "InvalidPermission.Duplicate", "Resource.AlreadyAssociated", "ConcurrentModification",
      "ConcurrentUpdateException", "IncorrectState", "IncorrectInstanceState",
      "IncorrectModificationState", "IdempotentParameterMismatch", "OperationAbortedException",
      "OperationAborted", "BucketAlreadyOwnedByYou", "RepositoryAlreadyExistsException"}},
    {CLOUD_ERROR_DEPENDENCY,
     {"DependencyViolation", "DeleteConflict", "VolumeInUse", "InvalidIPAddress.InUse",
      "InvalidGroup.InUse", "InvalidNetworkInterface.InUse", "ResourceInUseException",
      "BucketNotEmpty", "RepositoryNotEmptyException"}},
    {CLOUD_ERROR_INVALID,
     {"InvalidParameterValue", "InvalidParameterCombination", "InvalidRequestException",
      "InvalidAMIID.Malformed", "MissingParameter", "MalformedPolicyDocument", "ValidationError",
      "ValidationException", "UnknownParameter"}},
    {CLOUD_ERROR_OTHER, {"SomethingNew", "", "NotFound.", "*", "Server."}},
};

static void test_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        for (size_t k = 0; k < 24 && table[i].codes[k]; k++) {
            enum cloud_error_class c = aws_classify("ec2", table[i].codes[k], 400);
            if (c != table[i].class_)
                fail_msg("%s is %s, not %s", table[i].codes[k], cloud_error_class_name(c),
                         cloud_error_class_name(table[i].class_));
        }
    }
}

/* A code decides before the status does. */
static void test_status(void **state)
{
    (void)state;
    assert_int_equal(aws_classify("ec2", "RequestLimitExceeded", 503), CLOUD_ERROR_THROTTLED);
    assert_int_equal(aws_classify("ec2", "InsufficientInstanceCapacity", 500),
                     CLOUD_ERROR_CAPACITY);
    assert_int_equal(aws_classify("s3", NULL, 429), CLOUD_ERROR_THROTTLED);
    assert_int_equal(aws_classify("s3", NULL, 401), CLOUD_ERROR_CREDENTIALS);
    assert_int_equal(aws_classify("s3", NULL, 403), CLOUD_ERROR_PERMISSION);
    assert_int_equal(aws_classify("s3", NULL, 404), CLOUD_ERROR_NOT_FOUND);
    assert_int_equal(aws_classify("s3", NULL, 400), CLOUD_ERROR_OTHER);
    assert_int_equal(aws_classify("s3", NULL, 500), CLOUD_ERROR_TRANSIENT);
    assert_int_equal(aws_classify("s3", "SomethingNew", 503), CLOUD_ERROR_TRANSIENT);
}

static void test_skew(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "RequestTimeTooSkewed",  "RequestExpired", "InvalidSignatureException",
        "SignatureDoesNotMatch", "AuthFailure",    "RequestInTheFuture"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
        assert_true(aws_is_clock_skew(yes[i]));
    assert_false(aws_is_clock_skew("ExpiredToken"));
    assert_false(aws_is_clock_skew("AccessDenied"));
    assert_false(aws_is_clock_skew(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_codes), TEST(test_status), TEST(test_skew)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
