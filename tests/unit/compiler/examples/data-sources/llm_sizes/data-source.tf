data "llm_sizes" "all" {}
