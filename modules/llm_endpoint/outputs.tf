output "endpoint_name" {
  description = "Name by which it is called: that of SageMaker, the id on Vertex AI, or NAMESPACE/NAME of the Service."
  value       = llm_endpoint.this.endpoint_name
}

output "endpoint_arn" {
  description = "ARN of the endpoint, or its resource name; null in a cluster."
  value       = llm_endpoint.this.endpoint_arn
}

output "invoke_url" {
  description = "URL to call."
  value       = llm_endpoint.this.invoke_url
}

output "service_attachment" {
  description = "Vertex AI: what a forwarding rule of Private Service Connect connects to."
  value       = llm_endpoint.this.service_attachment
}

output "status" {
  description = "State of the endpoint as the cloud says it."
  value       = llm_endpoint.this.status
}

output "variant_status" {
  description = "Of each variant: part of the calls, instances, machine type and image."
  value       = llm_endpoint.this.variant_status
}

output "model_ids" {
  description = "Of each variant: ARN or resource name of its model."
  value       = llm_endpoint.this.model_ids
}

output "adapter_ids" {
  description = "Of each adapter, how a call names it."
  value       = llm_endpoint.this.adapter_ids
}

output "role_id" {
  description = "Identity that the model runs under."
  value       = llm_endpoint.this.role_id
}

output "secret_id" {
  description = "Secret with the token of Hugging Face."
  value       = llm_endpoint.this.secret_id
}

output "log_group" {
  description = "SageMaker: log group of the endpoint."
  value       = llm_endpoint.this.log_group
}

output "components" {
  description = "Every cloud and Kubernetes object of the endpoint, by name."
  value       = llm_endpoint.this.components
}
