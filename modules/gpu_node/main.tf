# One GPU node on either cloud. What the clouds write differently is evened out here, so that a call
# changes its cloud by changing values only.

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
  log_retention_days = var.cloud == "aws" ? min([for days in local.cloudwatch_days : days if days >= var.log_retention_days]...) : var.log_retention_days

  # A network that is made has no other way out than its NAT; an existing one brings its own.
  egress = try(var.network.subnet_ids, null) == null ? "nat" : "existing"

  # A secret does not decide what a plan shows: whether there is a key follows from its version.
  tailscale = var.tailscale == null ? null : {
    auth_key_wo         = var.tailscale_auth_key
    auth_key_wo_version = var.tailscale.auth_key_version
    auth_key_secret     = var.tailscale.auth_key_secret
    hostname            = var.tailscale.hostname
    tags                = var.tailscale.tags
    ssh                 = var.tailscale.ssh
  }
}

resource "llm_gpu_node" "this" {
  name   = var.name
  cloud  = var.cloud
  region = var.region
  zones  = var.zones

  models                   = var.models
  custom_model             = var.custom_model
  runtime                  = var.runtime
  context_tokens           = var.context_tokens
  huggingface_token_secret = var.huggingface_token_secret
  model_cache              = var.model_cache

  machine = var.machine
  disk    = var.disk
  image   = var.image

  network   = var.network
  egress    = local.egress
  tailscale = local.tailscale

  instance_profile = var.instance_profile
  service_account  = var.service_account

  log_retention_days = local.log_retention_days
  power              = var.power
  wait_for           = var.wait_for
  tags               = local.tags

  timeouts {
    create = var.timeouts.create
    update = var.timeouts.update
    delete = var.timeouts.delete
  }
}
