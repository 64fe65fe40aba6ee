# A platform together with the endpoints that its teams call. Both sides have the endpoint's name from one place: the team's
# configuration says which one to call, and its workload's identity may call that one (on Google Cloud, whose role for it is of the
# whole project, any).

locals {
  region   = coalesce(var.region, { aws = "us-west-2", gcp = "us-central1" }[var.cloud])
  variable = { aws = "SAGEMAKER_ENDPOINT", gcp = "VERTEX_ENDPOINT" }[var.cloud]
  machine  = { aws = "ml.g5.xlarge", gcp = "g2-standard-12" }[var.cloud]

  teams = {
    quant = {
      name = "quant-endpoint", service = "quant-api", model = "TheBloke/Mistral-7B-Instruct-v0.2-AWQ", quantization = "awq"
      size = { memory_gib = 8 }
      # Two variants share the calls: the second one is tried with a tenth of them.
      variants = { current = { weight = 90 }, candidate = { weight = 10 } }
    }
    finetune = {
      name = "finetune-endpoint", service = "finetune-api", model = "mistral:7b", adapters = var.adapters
    }
    eval = {
      name = "eval-endpoint", service = "eval-api", model = "qwen2.5:7b", scaling = { min = 1, max = 2, target_invocations = 60 }
    }
  }
  tags = {
    Project     = "llmplatform"
    Environment = "serving"
    ManagedBy   = "Terraform"
  }
}

module "endpoint" {
  source   = "../../../modules/llm_endpoint"
  for_each = local.teams

  name         = each.value.name
  cloud        = var.cloud
  region       = local.region
  model        = each.value.model
  quantization = try(each.value.quantization, "none")
  model_size   = try(each.value.size, null)
  adapters     = try(each.value.adapters, null)
  machine      = { type = local.machine }
  variants     = try(each.value.variants, null)
  scaling      = try(each.value.scaling, null)

  log_retention_days = 30
  tags               = merge(local.tags, { Team = each.key })
}

module "platform" {
  source = "../../../modules/llm_platform"

  name                = "llmplatform-serving"
  cloud               = var.cloud
  region              = local.region
  deletion_protection = false

  namespaces = {
    for team, endpoint in local.teams : team => {
      labels = { tier = "team", team = team }
      quota  = { "requests.cpu" = "4", "requests.memory" = "8Gi", pods = "10" }
      config = { (local.variable) = endpoint.name }
    }
  }
  workloads = {
    for team, endpoint in local.teams : endpoint.service => {
      namespace        = team
      invoke_endpoints = [endpoint.name]
      metrics          = true
    }
  }
  tags = local.tags
}
