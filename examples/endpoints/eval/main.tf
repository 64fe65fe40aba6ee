# An evaluator in a cluster: a model that scores the answers of others, called from within. The namespace llm-baseline of
# ../../platform has room for GPUs in its quota: one more than pods run, so that a change finds a place beside the old version.

locals {
  region  = coalesce(var.region, { aws = "us-west-2", gcp = "us-central1" }[var.cloud])
  machine = { aws = "g5.xlarge", gcp = "g2-standard-8" }[var.cloud]
}

provider "llm" {
  aws = var.cloud == "aws" ? { region = local.region } : null
  gcp = var.cloud == "gcp" ? { region = local.region } : null
}

resource "llm_endpoint" "judge" {
  name   = "eval-judge"
  cloud  = var.cloud
  region = local.region
  target = "cluster"

  cluster = {
    name      = var.cluster
    namespace = var.namespace
  }

  model          = "qwen2.5:7b"
  adapters       = var.adapters
  context_tokens = 8192
  machine        = { type = local.machine }

  scaling = { min = var.pods }

  tags = { team = "evaluation" }
}
