# An endpoint of another configuration, or one that was made by hand.
data "llm_endpoint" "quant" {
  name  = "quant-endpoint"
  cloud = "aws"
}

output "call" {
  value = {
    url       = data.llm_endpoint.quant.invoke_url
    status    = data.llm_endpoint.quant.status
    instances = { for name, variant in data.llm_endpoint.quant.variants : name => variant.instances }
  }
}
