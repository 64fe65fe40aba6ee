import {
  to = llm_box.x
  identity = {
    cloud = "aws"
    name  = "x"
  }
}
