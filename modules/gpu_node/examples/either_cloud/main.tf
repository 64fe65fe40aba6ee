# The same call on either cloud: tofu plan -var cloud=aws, tofu plan -var cloud=gcp.

terraform {
  required_providers {
    llm = {
      source  = "llm-infra/llm"
      version = "~> 0.1"
    }
  }
}

variable "cloud" {
  description = "aws or gcp."
  type        = string
  default     = "aws"
}

variable "tailscale_auth_key" {
  description = "Tailscale auth key."
  type        = string
  sensitive   = true
  ephemeral   = true
}

locals {
  # All that differs.
  regions = { aws = "eu-west-1", gcp = "europe-west4" }
}

module "chat" {
  source = "../.."

  name   = "chat"
  cloud  = var.cloud
  region = local.regions[var.cloud]
  models = ["llama3.1:8b"]
  tags   = { Team = "Machine Learning" }

  tailscale          = { auth_key_version = 1, tags = ["tag:llm"] }
  tailscale_auth_key = var.tailscale_auth_key
}

output "ollama_url" {
  description = "Where the models answer, in the tailnet."
  value       = module.chat.ollama_url
}
