output "url" {
  description = "Where pods of the cluster call it, as OpenAI's API: /v1/chat/completions and the rest."
  value       = llm_endpoint.judge.invoke_url
}

output "models" {
  description = "Names for `model` in a request."
  value       = concat([llm_endpoint.judge.name], values(llm_endpoint.judge.adapter_ids))
}

output "status" {
  description = "State of the endpoint, and of its variants."
  value       = { endpoint = llm_endpoint.judge.status, variants = llm_endpoint.judge.variant_status }
}
