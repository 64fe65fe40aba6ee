# The same models on both clouds: one resource, and only values that differ.

terraform {
  required_providers {
    llm = {
      source = "llm-infra/llm"
    }
  }
}

provider "llm" {
  aws = {
    default_tags = { tags = { team = "ml" } }
  }
  gcp = {
    default_labels = { team = "ml" }
  }
}

variable "tailscale_auth_key" {
  type      = string
  sensitive = true
  ephemeral = true
}

locals {
  nodes = {
    aws = { region = "eu-west-1", machines = ["g6.xlarge", "g5.xlarge"] }
    gcp = { region = "europe-west4", machines = ["g2-standard-8", "g2-standard-4"] }
  }
}

resource "llm_gpu_node" "chat" {
  for_each = local.nodes

  name   = "chat"
  cloud  = each.key
  region = each.value.region
  models = ["llama3.1:8b"]

  machine = {
    candidates   = each.value.machines
    provisioning = "spot_preferred"
  }

  tailscale = {
    auth_key_wo         = var.tailscale_auth_key
    auth_key_wo_version = 1
    hostname            = "chat-${each.key}"
  }
}

output "ollama_urls" {
  value = { for cloud, node in llm_gpu_node.chat : cloud => node.ollama_url }
}
