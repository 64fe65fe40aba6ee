output "endpoint_name" {
  description = "Name for SAGEMAKER_ENDPOINT of the service that calls it."
  value       = llm_endpoint.quant.endpoint_name
}

output "invoke_url" {
  description = "URL of the endpoint; calls are signed."
  value       = llm_endpoint.quant.invoke_url
}

output "status" {
  description = "State of the endpoint, and of its variants."
  value       = { endpoint = llm_endpoint.quant.status, variants = llm_endpoint.quant.variant_status }
}
