/* The table of AWS services. */
#include "aws/service.h"

#include <stddef.h>
#include <string.h>

static const struct aws_service services[] = {
    {"ec2", AWS_PROTOCOL_EC2, "2016-11-15", NULL, "ec2", "ec2", "EC2", "ec2", false, NULL, "ec2"},
    {"iam", AWS_PROTOCOL_QUERY, "2010-05-08", NULL, "iam", "iam", "IAM", "iam", true, NULL, "iam"},
    {"sts", AWS_PROTOCOL_QUERY, "2011-06-15", NULL, "sts", "sts", "STS", "sts", false, NULL, "sts"},
    {"logs", AWS_PROTOCOL_JSON, "1.1", "Logs_20140328", "logs", "logs", "CLOUDWATCH_LOGS",
     "cloudwatch_logs", false, NULL, "logs"},
    {"secretsmanager", AWS_PROTOCOL_JSON, "1.1", "secretsmanager", "secretsmanager",
     "secretsmanager", "SECRETS_MANAGER", "secrets_manager", false, NULL, "secretsmanager"},
    {"ssm", AWS_PROTOCOL_JSON, "1.1", "AmazonSSM", "ssm", "ssm", "SSM", "ssm", false, NULL, "ssm"},
    {"servicequotas", AWS_PROTOCOL_JSON, "1.1", "ServiceQuotasV20190624", "servicequotas",
     "servicequotas", "SERVICE_QUOTAS", "service_quotas", false, NULL, "servicequotas"},
    {"eks", AWS_PROTOCOL_REST_JSON, NULL, NULL, "eks", "eks", "EKS", "eks", false, NULL, "eks"},
    {"ecr", AWS_PROTOCOL_JSON, "1.1", "AmazonEC2ContainerRegistry_V20150921", "api.ecr", "ecr",
     "ECR", "ecr", false, NULL, "ecr"},
    {"elb", AWS_PROTOCOL_QUERY, "2012-06-01", NULL, "elasticloadbalancing", "elasticloadbalancing",
     "ELASTIC_LOAD_BALANCING", "elastic_load_balancing", false, NULL, "elasticloadbalancing"},
    {"elbv2", AWS_PROTOCOL_QUERY, "2015-12-01", NULL, "elasticloadbalancing",
     "elasticloadbalancing", "ELASTIC_LOAD_BALANCING_V2", "elastic_load_balancing_v2", false, NULL,
     "elasticloadbalancing"},
    {"cloudwatch", AWS_PROTOCOL_QUERY, "2010-08-01", NULL, "monitoring", "monitoring", "CLOUDWATCH",
     "cloudwatch", false, NULL, "cloudwatch"},
    {"sagemaker", AWS_PROTOCOL_JSON, "1.1", "SageMaker", "api.sagemaker", "sagemaker", "SAGEMAKER",
     "sagemaker", false, NULL, "sagemaker"},
    {"appautoscaling", AWS_PROTOCOL_JSON, "1.1", "AnyScaleFrontendService",
     "application-autoscaling", "application-autoscaling", "APPLICATION_AUTO_SCALING",
     "application_auto_scaling", false, NULL, "application-autoscaling"},
    {"s3", AWS_PROTOCOL_REST_XML, "2006-03-01", NULL, "s3", "s3", "S3", "s3", false,
     "http://s3.amazonaws.com/doc/2006-03-01/", NULL},
    {"sso", AWS_PROTOCOL_REST_JSON, NULL, NULL, "portal.sso", "awsssoportal", "SSO", "sso", false,
     NULL, NULL},
    {"ssooidc", AWS_PROTOCOL_REST_JSON, NULL, NULL, "oidc", "sso-oauth", "SSO_OIDC", "sso_oidc",
     false, NULL, NULL},
};

const struct aws_service *aws_service_find(const char *id)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (strcmp(services[i].id, id) == 0)
            return &services[i];
    return NULL;
}
