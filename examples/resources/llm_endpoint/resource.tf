resource "llm_endpoint" "quant" {
  name  = "quant"
  cloud = "aws"

  model        = "TheBloke/Mistral-7B-Instruct-v0.2-AWQ"
  quantization = "awq"
  machine      = { type = "ml.g5.xlarge" }

  scaling = { min = 2, max = 4, target_invocations = 120 }
  rollout = { strategy = "canary", step_percent = 20, wait_s = 300 }
  alarms  = { errors_5xx = 5, latency_ms = 20000 }

  tags = { team = "quantization" }
}
