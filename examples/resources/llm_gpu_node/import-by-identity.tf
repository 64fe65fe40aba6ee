import {
  to = llm_gpu_node.chat
  identity = {
    account_or_project = "123456789012"
    cloud              = "aws"
    name               = "chat"
    region             = "eu-west-1"
  }
}
