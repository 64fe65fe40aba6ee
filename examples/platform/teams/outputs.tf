# What the teams get in every environment: namespaces, and identities for their workloads. The
# environment decides how much.

variable "environment" {
  description = "Name of the environment, for the namespaces' labels."
  type        = string
}

variable "cloud" {
  description = "aws or gcp: names of the settings that the services read."
  type        = string
}

variable "region" {
  description = "Region, for the teams' configuration."
  type        = string
}

variable "log_level" {
  description = "Log level of the teams' services."
  type        = string
  default     = "DEBUG"
}

variable "scale" {
  description = "Factor on all quotas: 1 is a development environment."
  type        = number
  default     = 1
}

locals {
  names = {
    aws = { region = "AWS_REGION", endpoint = "SAGEMAKER_ENDPOINT" }
    gcp = { region = "GOOGLE_CLOUD_REGION", endpoint = "VERTEX_ENDPOINT" }
  }
  name = local.names[var.cloud]

  small = {
    default_cpu            = "500m"
    default_memory         = "1Gi"
    default_request_cpu    = "200m"
    default_request_memory = "256Mi"
    max_cpu                = "2"
    max_memory             = "4Gi"
    min_cpu                = "100m"
    min_memory             = "128Mi"
  }
  light = {
    default_cpu            = "500m"
    default_memory         = "512Mi"
    default_request_cpu    = "100m"
    default_request_memory = "128Mi"
    max_cpu                = "2"
    max_memory             = "4Gi"
    min_cpu                = "50m"
    min_memory             = "64Mi"
  }

  # Processors and GiB that containers may request; they may use twice as much.
  size = {
    platform      = { cpu = 4, memory = 8, pods = 20 }
    quant         = { cpu = 8, memory = 16, pods = 15 }
    finetune      = { cpu = 4, memory = 8, pods = 10 }
    eval          = { cpu = 4, memory = 8, pods = 10 }
    observability = { cpu = 8, memory = 16, pods = 30 }
    llm-baseline  = { cpu = 8, memory = 32, pods = 4 }
  }
  quota = {
    for name, size in local.size : name => {
      "requests.cpu"    = tostring(size.cpu * var.scale)
      "requests.memory" = "${size.memory * var.scale}Gi"
      "limits.cpu"      = tostring(2 * size.cpu * var.scale)
      "limits.memory"   = "${2 * size.memory * var.scale}Gi"
      "pods"            = tostring(size.pods * var.scale)
    }
  }
}

output "namespaces" {
  description = "For `namespaces` of the platform."
  value = {
    platform = {
      labels      = { environment = var.environment, tier = "platform" }
      annotations = { description = "Gateway, collector, ingress" }
      quota       = local.quota.platform
      limit_range = local.light
      config      = { (local.name.region) = var.region, LOG_LEVEL = "INFO" }
    }
    quant = {
      labels      = { environment = var.environment, tier = "team", team = "quantization" }
      annotations = { description = "Quantized models: GPTQ and AWQ" }
      quota       = local.quota.quant
      limit_range = {
        default_cpu            = "1"
        default_memory         = "2Gi"
        default_request_cpu    = "250m"
        default_request_memory = "512Mi"
        max_cpu                = "4"
        max_memory             = "8Gi"
        min_cpu                = "100m"
        min_memory             = "128Mi"
      }
      config = { (local.name.region) = var.region, (local.name.endpoint) = "quant-endpoint", LOG_LEVEL = var.log_level, ENABLE_FALLBACK = "false" }
    }
    finetune = {
      labels      = { environment = var.environment, tier = "team", team = "finetuning" }
      annotations = { description = "Fine-tuned models: LoRA adapters" }
      quota       = local.quota.finetune
      limit_range = local.small
      config      = { (local.name.region) = var.region, (local.name.endpoint) = "finetune-endpoint", LOG_LEVEL = var.log_level, AB_ROUTING_ENABLED = "true" }
    }
    eval = {
      labels      = { environment = var.environment, tier = "team", team = "evaluation" }
      annotations = { description = "Scoring of models" }
      quota       = local.quota.eval
      limit_range = local.small
      config      = { (local.name.region) = var.region, (local.name.endpoint) = "eval-endpoint", LOG_LEVEL = var.log_level }
    }
    observability = {
      labels      = { environment = var.environment, tier = "platform" }
      annotations = { description = "Prometheus, Grafana, Tempo, Loki, collector" }
      quota       = local.quota.observability
      limit_range = merge(local.light, { max_cpu = "4", max_memory = "8Gi" })
    }
    llm-baseline = {
      labels      = { environment = var.environment, tier = "model" }
      annotations = { description = "The baseline model, served by vLLM on GPU nodes" }
      quota       = merge(local.quota.llm-baseline, { "requests.nvidia.com/gpu" = tostring(var.scale) })
    }
  }
}

output "workloads" {
  description = "For `workloads` of the platform."
  value = {
    gateway      = { namespace = "platform", service_account = "gateway-sa", metrics = true }
    quant-api    = { namespace = "quant", invoke_endpoints = ["quant-*"], metrics = true }
    finetune-api = { namespace = "finetune", invoke_endpoints = ["finetune-*"], metrics = true }
    eval-api     = { namespace = "eval", invoke_endpoints = ["eval-*"], metrics = true }
  }
}
