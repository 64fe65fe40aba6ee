# The node: one resource stands for the instance and everything around it. Its settings come from
# the file of each subject.

resource "llm_gpu_node" "node" {
  name   = var.name
  cloud  = "aws"
  region = var.region
  zones  = var.zones
  power  = var.power

  # model_mapping.tf
  models         = length(var.models) > 0 ? var.models : null
  custom_model   = var.custom_model
  runtime        = var.runtime
  context_tokens = var.context_tokens
  machine = {
    candidates   = local.machine_candidates
    provisioning = var.provisioning
  }
  disk = {
    size_gib = local.disk_size_gib
    type     = var.disk_type
    kms_key  = var.kms_key
  }

  # ami.tf
  image = local.image

  # networking.tf
  network = local.network
  egress  = local.egress

  # security.tf
  tailscale = local.tailscale

  # logging.tf
  log_retention_days = local.log_retention_days

  wait_for = var.wait_for

  lifecycle {
    precondition {
      condition     = local.mapping_fits
      error_message = local.mapping_error
    }
  }
}
