terraform {
  required_providers {
    llm = {
      source = "llm-infra/llm"
    }
  }
}

provider "llm" {
  aws = {
    region       = "eu-west-1"
    default_tags = { tags = { team = "ml" } }
  }
}
