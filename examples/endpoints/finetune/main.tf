# A model with LoRA adapters on Vertex AI. Which adapter answers, each request says: other adapters
# need no other deployment.

resource "llm_endpoint" "finetune" {
  name   = "finetune"
  cloud  = "gcp"
  region = var.region

  model    = "llama3.1:8b"
  adapters = { for name in var.adapters : name => "gs://${var.bucket}/adapters/${name}" }

  # Without a machine, the cheapest one that holds the model, and that the region has.
  scaling = { min = 1, max = 3, target_gpu_percent = 70 }
  alarms  = { errors_5xx = 5, latency_ms = 20000 }

  # The server fetches the token itself, with its service account.
  huggingface_token_secret = var.token_secret

  tags = { team = "finetune" }
}
