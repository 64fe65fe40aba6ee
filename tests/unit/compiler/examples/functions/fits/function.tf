output "fits" {
  value = provider::llm::fits(3)
}