data "llm_model" "llama" {
  name = "llama3.1:8b"
}

output "needs" {
  value = {
    memory_gib = data.llm_model.llama.memory_gib
    disk_gib   = data.llm_model.llama.disk_gib
  }
}
