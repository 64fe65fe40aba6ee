# A quantized model (AWQ) on SageMaker: two instances at least, half of which try a change first. It is called as the role
# that the platform's workload quant-api has: `invoke_endpoints = ["quant-*"]`.

provider "llm" {
  aws = { region = var.region }
}

resource "llm_endpoint" "quant" {
  name  = "quant-endpoint"
  cloud = "aws"

  model        = var.model
  quantization = "awq"
  machine      = { type = "ml.g5.xlarge" }

  context_tokens = 8192
  environment    = { SM_VLLM_GPU_MEMORY_UTILIZATION = "0.92" }

  scaling = { min = 2, max = 6, target_invocations = 120 }
  rollout = { strategy = "canary", step_percent = 50, wait_s = 600 }
  alarms  = { errors_5xx = 5, latency_ms = 30000, actions = var.alarm_topics }

  data_capture = var.capture_uri == null ? null : { uri = var.capture_uri, percent = 10 }

  tags = { team = "quantization" }
}
