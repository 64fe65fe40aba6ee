import {
  to = llm_platform_cluster.this
  identity = {
    account_or_project = "123456789012"
    cloud              = "aws"
    name               = "llmplatform-dev"
    region             = "us-west-2"
  }
}
