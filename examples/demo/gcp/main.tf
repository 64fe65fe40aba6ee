terraform {
  required_providers {
    llm = {
      source = "llm-infra/llm"
    }
  }
}

provider "llm" {
  gcp = {
    region = "us-central1"
  }
}

resource "llm_gpu_node" "demo" {
  name   = "demo"
  cloud  = "gcp"
  models = ["llama3.1:8b"]
  zones  = ["us-central1-a", "us-central1-b"]

  tailscale = {
    auth_key_wo         = var.tailscale_auth_key
    auth_key_wo_version = 1
  }
}

variable "tailscale_auth_key" {
  type      = string
  sensitive = true
  ephemeral = true
}

output "instance_id" {
  value = llm_gpu_node.demo.instance_id
}

output "private_ip" {
  value = llm_gpu_node.demo.private_ip
}

output "ollama_url" {
  value = llm_gpu_node.demo.ollama_url
}
