resource "llm_vault" "x" {
  name  = "x"
  cloud = "gcp"
}
