import {
  to = llm_box.x
  id = "aws/x"
}
