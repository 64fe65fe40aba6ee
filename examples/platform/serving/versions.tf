terraform {
  required_version = ">= 1.11.0"

  required_providers {
    llm = {
      source  = "llm-infra/llm"
      version = "~> 0.1"
    }
  }
}
