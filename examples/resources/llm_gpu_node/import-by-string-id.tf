# The id is CLOUD/REGION/NAME.
import {
  to = llm_gpu_node.chat
  id = "aws/eu-west-1/chat"
}
