output "instance_id" {
  description = "Id of the instance; on Google Cloud projects/…/zones/…/instances/…"
  value       = llm_gpu_node.this.instance_id
}

output "private_ip" {
  description = "Private IPv4 address of the instance."
  value       = llm_gpu_node.this.private_ip
}

output "ollama_url" {
  description = "URL of the runtime's API inside the network or tailnet."
  value       = llm_gpu_node.this.ollama_url
}

output "machine" {
  description = "The machine that was chosen: type, zone, gpu, gpu_count, gpu_memory_gib, disk_gib, image_id."
  value = {
    type           = llm_gpu_node.this.machine_type
    zone           = llm_gpu_node.this.zone
    gpu            = llm_gpu_node.this.gpu
    gpu_count      = llm_gpu_node.this.gpu_count
    gpu_memory_gib = llm_gpu_node.this.gpu_memory_gib
    disk_gib       = llm_gpu_node.this.disk_gib
    image_id       = llm_gpu_node.this.image_id
  }
}

output "components" {
  description = "Every cloud object of the node, by name: its kind, id and state."
  value       = llm_gpu_node.this.components
}
