# One model behind an endpoint: on SageMaker, on Vertex AI or in a cluster. What these write differently, or do not have, is evened
# out here, so that a call changes its place by changing values only.

locals {
  managed = var.target == "managed"
  aws     = local.managed && var.cloud == "aws"
  vertex  = local.managed && var.cloud == "gcp"

  # Labels take lower-case letters, digits, hyphens and underscores, at most 63.
  labels = {
    for key, value in var.tags :
    substr(replace(lower(key), "/[^a-z0-9_-]/", "-"), 0, 63) => substr(replace(lower(value), "/[^a-z0-9_-]/", "-"), 0, 63)
  }
  tags = local.aws ? var.tags : local.labels

  # CloudWatch keeps logs for one of these times only; elsewhere the project or the cluster decides.
  cloudwatch_days = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
  ]
  log_retention_days = local.aws ? min([for days in local.cloudwatch_days : days if days >= var.log_retention_days]...) : null

  # A cluster is named, or any other one whose token is a secret: whether there is one follows from its version.
  cluster = var.cluster == null ? null : {
    name               = var.cluster.name
    namespace          = var.cluster.namespace
    storage_class      = var.cluster.storage_class
    shared_storage     = var.cluster.shared_storage
    metrics            = var.cluster.metrics
    node_selector      = var.cluster.node_selector
    tolerations        = var.cluster.tolerations
    priority_class     = var.cluster.priority_class
    image_pull_secrets = var.cluster.image_pull_secrets
    kubernetes = var.cluster.kubernetes == null ? null : {
      endpoint         = var.cluster.kubernetes.endpoint
      ca_certificate   = var.cluster.kubernetes.ca_certificate
      token_file       = var.cluster.kubernetes.token_file
      token_wo         = var.cluster_token
      token_wo_version = var.cluster.kubernetes.token_version
    }
  }
}

resource "llm_endpoint" "this" {
  name   = var.name
  cloud  = var.cloud
  region = var.region
  target = var.target

  model          = var.model
  model_revision = var.model_revision
  model_size     = var.model_size
  quantization   = var.quantization
  context_tokens = var.context_tokens
  adapters       = var.adapters

  container         = var.container
  environment       = var.environment
  machine           = var.machine
  variants          = var.variants
  scaling           = var.scaling
  startup_timeout_s = var.startup_timeout_s

  huggingface_token_wo         = var.huggingface_token
  huggingface_token_wo_version = var.huggingface_token_version
  huggingface_token_secret     = var.huggingface_token_secret

  cluster      = local.cluster
  network      = var.network
  kms_key      = var.kms_key
  role         = var.role
  data_capture = var.data_capture

  rollout = local.vertex ? null : var.rollout
  alarms  = local.managed ? var.alarms : null

  log_retention_days = local.log_retention_days
  tags               = local.tags

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }
}
