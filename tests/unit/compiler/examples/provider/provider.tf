provider "llm" {}
