# Credentials are not set here: the provider finds them as the AWS SDKs do (environment,
# AWS_PROFILE, SSO, OIDC, instance role).

provider "llm" {
  aws = {
    region              = var.region
    allowed_account_ids = var.account_or_project == null ? null : [var.account_or_project]
    default_tags        = { tags = local.tags }
  }
}

locals {
  tags = merge({ managed-by = "terraform-provider-llm" }, var.tags)
}
