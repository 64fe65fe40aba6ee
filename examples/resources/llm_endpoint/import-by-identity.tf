import {
  to = llm_endpoint.quant
  identity = {
    account_or_project = "123456789012"
    cloud              = "aws"
    name               = "quant"
    region             = "us-west-2"
  }
}
