terraform {
  required_providers {
    llm = {
      source = "llm-infra/llm"
    }
  }
}

provider "llm" {
  aws = {
    region = "us-east-1"
  }
}

resource "llm_gpu_node" "demo" {
  name   = "demo"
  cloud  = "aws"
  models = ["llama3.1:8b"]
  zones  = ["us-east-1a", "us-east-1b"]

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
