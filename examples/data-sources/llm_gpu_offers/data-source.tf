# Machines that hold both models at once, the cheapest first.
data "llm_gpu_offers" "chat" {
  models         = ["llama3.1:8b", "qwen2.5:7b"]
  context_tokens = 16384
}

output "cheapest" {
  value = data.llm_gpu_offers.chat.offers[0]
}
