output "memory" {
  value = provider::llm::vram_gib("llama3.1:8b", 8192)
}
