# The whole LLM platform on either cloud. What the clouds write differently is evened out here, so
# that a call changes its cloud by changing values only.

locals {
  # Labels take lower-case letters, digits, hyphens and underscores, at most 63.
  labels = {
    for key, value in var.tags :
    substr(replace(lower(key), "/[^a-z0-9_-]/", "-"), 0, 63) => substr(replace(lower(value), "/[^a-z0-9_-]/", "-"), 0, 63)
  }
  tags = var.cloud == "gcp" ? local.labels : var.tags

  # CloudWatch keeps logs for one of these times only.
  cloudwatch_days = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
  ]
  observability = merge(var.observability, {
    retention_days = var.cloud == "aws" ? min([for days in local.cloudwatch_days : days if days >= var.observability.retention_days]...) : var.observability.retention_days
  })
}

resource "llm_platform_cluster" "this" {
  name   = var.name
  cloud  = var.cloud
  region = var.region

  kubernetes_version  = var.kubernetes_version
  release_channel     = var.release_channel
  deletion_protection = var.deletion_protection

  network    = var.network
  endpoint   = var.endpoint
  access     = var.access
  node_pools = var.node_pools
  registries = var.registries

  namespaces = var.namespaces
  workloads  = var.workloads

  observability = local.observability
  leftovers     = var.leftovers
  encryption    = var.encryption
  tags          = local.tags

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }
}
