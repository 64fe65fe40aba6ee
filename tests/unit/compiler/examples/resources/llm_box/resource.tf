resource "llm_box" "x" {
  name  = "x"
  cloud = "aws"
}
