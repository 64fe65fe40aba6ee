output "endpoints" {
  description = "Of each team: the endpoint's name, where it is called, and how its adapters are named in a call."
  value = {
    for team, endpoint in module.endpoint : team => {
      name     = endpoint.endpoint_name
      url      = endpoint.invoke_url
      status   = endpoint.status
      adapters = endpoint.adapter_ids
    }
  }
}

output "workload_identities" {
  description = "Role or service account of each workload, which may call the endpoint of its team."
  value       = module.platform.workload_identities
}

output "kubeconfig_command" {
  description = "Adds the cluster to your kubeconfig."
  value       = module.platform.kubeconfig_command
}
