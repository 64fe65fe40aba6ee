# One GPU node on AWS. The state stays in this directory (terraform.tfstate): there is no backend
# block on purpose.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    llm = {
      source  = "llm-infra/llm"
      version = "~> 0.1"
    }
  }
}
