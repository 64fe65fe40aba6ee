# Production: a NAT gateway in each zone, nodes on demand, immutable tags, a private API for all but the named ranges.

locals {
  machines = {
    aws = { general = ["m6i.large", "m6a.large", "m5.large"], gpu = ["g5.xlarge", "g6.xlarge"] }
    gcp = { general = ["e2-standard-4"], gpu = ["g2-standard-8"] }
  }
  m      = local.machines[var.cloud]
  region = coalesce(var.region, { aws = "us-west-2", gcp = "us-central1" }[var.cloud])
  tags = {
    Project     = "llmplatform"
    Environment = "prod"
    ManagedBy   = "Terraform"
    Troy        = "troy"
  }
}

module "teams" {
  source = "../teams"

  environment = "prod"
  cloud       = var.cloud
  region      = local.region
  log_level   = "INFO"
  scale       = 3
}

module "platform" {
  source = "../../../modules/llm_platform"

  name                = "llmplatform-prod"
  cloud               = var.cloud
  region              = local.region
  kubernetes_version  = var.kubernetes_version
  deletion_protection = true

  network  = { cidr = "10.0.0.0/16", zones = 3, nat = "per_zone" }
  endpoint = { public = true, public_cidrs = var.api_cidrs, private = true }

  node_pools = {
    general = { machine_types = local.m.general, min = 3, max = 12 }
    gpu     = { machine_types = local.m.gpu, gpu = true, min = 1, max = 4 }
  }

  registries = {
    names          = ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"]
    immutable_tags = true
  }

  namespaces = module.teams.namespaces
  workloads  = module.teams.workloads

  observability = {
    retention_days = 365
    gpu_metrics    = true
    alarms         = { actions = var.alarm_actions }
  }
  tags = local.tags
}
