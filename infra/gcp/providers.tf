# Credentials are not set here: the provider finds them as Application Default Credentials are
# (GOOGLE_CREDENTIALS, gcloud, OIDC, metadata server).

provider "llm" {
  gcp = {
    region         = var.region
    project        = var.account_or_project
    default_labels = local.labels
  }
}

locals {
  # Labels take lower-case letters, digits, hyphens and underscores, at most 63.
  labels = {
    for key, value in merge({ managed-by = "terraform-provider-llm" }, var.tags) :
    substr(replace(lower(key), "/[^a-z0-9_-]/", "-"), 0, 63) => substr(replace(lower(value), "/[^a-z0-9_-]/", "-"), 0, 63)
  }
}
