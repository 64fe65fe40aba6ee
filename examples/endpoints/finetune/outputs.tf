output "invoke_url" {
  description = "Where requests go."
  value       = llm_endpoint.finetune.invoke_url
}

output "adapters" {
  description = "What a request says in \"dynamic-lora\" to be answered with an adapter."
  value       = llm_endpoint.finetune.adapter_ids
}

output "service_account" {
  description = "What the server runs under; it may read the adapters' folders."
  value       = llm_endpoint.finetune.role_id
}
