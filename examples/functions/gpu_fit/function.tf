output "fits" {
  value = provider::llm::gpu_fit(["llama3.1:8b"], 8192, "g5.xlarge").fits
}
