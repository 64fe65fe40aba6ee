resource "llm_platform_cluster" "this" {
  name  = "llmplatform-dev"
  cloud = "aws"

  network = { cidr = "10.0.0.0/16", zones = 3, nat = "single" }

  node_pools = {
    general = { machine_types = ["m6i.large", "m5.large"], provisioning = "spot", min = 2, max = 4 }
    gpu     = { machine_types = ["g5.xlarge"], gpu = true, provisioning = "spot", min = 0, max = 2 }
  }

  registries = { names = ["gateway", "quant-api"] }

  namespaces = {
    platform = {}
    quant = {
      labels      = { tier = "team" }
      quota       = { "requests.cpu" = "8", "requests.memory" = "16Gi", pods = "15" }
      limit_range = { default_cpu = "1", default_memory = "2Gi" }
      config      = { LOG_LEVEL = "DEBUG" }
      rbac        = { admins = ["quant-leads"], editors = ["quant-team"] }
    }
  }

  workloads = {
    gateway   = { namespace = "platform", metrics = true }
    quant-api = { namespace = "quant", invoke_endpoints = ["quant-*"], metrics = true }
  }

  tags = { environment = "dev" }
}
