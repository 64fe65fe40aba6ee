# The id is CLOUD/REGION/NAME, for example aws/eu-west-1/chat or gcp/europe-west4/chat.
import {
  to = llm_gpu_node.chat
  id = "aws/eu-west-1/chat"
}
