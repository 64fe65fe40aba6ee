# The same outputs as in ../gcp.

output "instance_id" {
  description = "Id of the instance."
  value       = llm_gpu_node.node.instance_id
}

output "private_ip" {
  description = "Private IPv4 address of the instance."
  value       = llm_gpu_node.node.private_ip
}

output "ollama_url" {
  description = "URL of the runtime's API inside the network or tailnet."
  value       = llm_gpu_node.node.ollama_url
}

output "machine" {
  description = "The machine that was chosen."
  value = {
    type           = llm_gpu_node.node.machine_type
    zone           = llm_gpu_node.node.zone
    gpu            = llm_gpu_node.node.gpu
    gpu_count      = llm_gpu_node.node.gpu_count
    gpu_memory_gib = llm_gpu_node.node.gpu_memory_gib
    disk_gib       = llm_gpu_node.node.disk_gib
    image_id       = llm_gpu_node.node.image_id
  }
}

output "model_mapping" {
  description = "What each model needs, and the first machines that hold all of them, cheapest first."
  value       = local.model_mapping
}
