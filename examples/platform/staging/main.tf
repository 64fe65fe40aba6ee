# Staging: as production, but smaller, and with one NAT gateway.

locals {
  machines = {
    aws = { general = ["m6i.large", "m6a.large", "m5.large"], gpu = ["g5.xlarge", "g6.xlarge"] }
    gcp = { general = ["e2-standard-4"], gpu = ["g2-standard-8"] }
  }
  m      = local.machines[var.cloud]
  region = coalesce(var.region, { aws = "us-west-2", gcp = "us-central1" }[var.cloud])
  tags = {
    Project     = "llmplatform"
    Environment = "staging"
    ManagedBy   = "Terraform"
    Troy        = "troy"
  }
}

module "teams" {
  source = "../teams"

  environment = "staging"
  cloud       = var.cloud
  region      = local.region
  log_level   = "INFO"
  scale       = 1
}

module "platform" {
  source = "../../../modules/llm_platform"

  name                = "llmplatform-staging"
  cloud               = var.cloud
  region              = local.region
  kubernetes_version  = var.kubernetes_version
  deletion_protection = true

  network  = { cidr = "10.0.0.0/16", zones = 3, nat = "single" }
  endpoint = { public = true, public_cidrs = var.api_cidrs, private = true }

  node_pools = {
    general = { machine_types = local.m.general, min = 2, max = 6 }
    gpu     = { machine_types = local.m.gpu, gpu = true, provisioning = "spot", min = 0, max = 2 }
  }

  registries = {
    names          = ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"]
    immutable_tags = true
  }

  namespaces = module.teams.namespaces
  workloads  = module.teams.workloads

  observability = {
    retention_days = 30
    gpu_metrics    = true
    alarms         = { actions = var.alarm_actions }
  }
  tags = local.tags
}
