variable "tailscale_auth_key" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "llm_gpu_node" "chat" {
  name   = "chat"
  cloud  = "aws"
  models = ["llama3.1:8b"]

  tailscale = {
    auth_key_wo         = var.tailscale_auth_key
    auth_key_wo_version = 1
  }
}

output "instance_id" {
  value = llm_gpu_node.chat.instance_id
}

output "private_ip" {
  value = llm_gpu_node.chat.private_ip
}

output "ollama_url" {
  value = llm_gpu_node.chat.ollama_url
}
