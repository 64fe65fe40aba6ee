# Development: one NAT gateway, spot nodes, small quotas. It may be destroyed.

locals {
  machines = {
    aws = { general = ["m6i.large", "m6a.large", "m5.large"], gpu = ["g5.xlarge", "g6.xlarge"] }
    gcp = { general = ["e2-standard-4"], gpu = ["g2-standard-8"] }
  }
  m      = local.machines[var.cloud]
  region = coalesce(var.region, { aws = "us-west-2", gcp = "us-central1" }[var.cloud])
  tags = {
    Project     = "llmplatform"
    Environment = "dev"
    ManagedBy   = "Terraform"
    Troy        = "troy"
  }
}

module "teams" {
  source = "../teams"

  environment = "dev"
  cloud       = var.cloud
  region      = local.region
  log_level   = "DEBUG"
  scale       = 1
}

module "platform" {
  source = "../../../modules/llm_platform"

  name                = "llmplatform-dev"
  cloud               = var.cloud
  region              = local.region
  kubernetes_version  = var.kubernetes_version
  deletion_protection = false

  network  = { cidr = "10.0.0.0/16", zones = 3, nat = "single" }
  endpoint = { public = true, public_cidrs = var.api_cidrs, private = true }

  node_pools = {
    general = { machine_types = local.m.general, provisioning = "spot", min = 2, max = 4 }
    gpu     = { machine_types = local.m.gpu, gpu = true, provisioning = "spot", min = 0, max = 1 }
  }

  registries = {
    names          = ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"]
    immutable_tags = false
  }

  namespaces = module.teams.namespaces
  workloads  = module.teams.workloads

  observability = {
    retention_days = 7
    gpu_metrics    = true
  }
  tags = local.tags
}
