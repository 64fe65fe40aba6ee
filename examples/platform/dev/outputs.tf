output "cluster_name" {
  description = "Name of the cluster."
  value       = module.platform.cluster_name
}

output "cluster_endpoint" {
  description = "URL of the Kubernetes API."
  value       = module.platform.cluster_endpoint
}

output "oidc_provider_arn" {
  description = "AWS: OIDC provider, for roles of your own."
  value       = module.platform.oidc_provider_arn
}

output "registry_urls" {
  description = "Where each service pushes its images."
  value       = module.platform.registry_urls
}

output "workload_identities" {
  description = "Role or service account of each workload."
  value       = module.platform.workload_identities
}

output "namespace_names" {
  description = "Namespaces of the teams."
  value       = module.platform.namespace_names
}

output "dashboard_url" {
  description = "The dashboard."
  value       = module.platform.dashboard_url
}

output "kubeconfig_command" {
  description = "Adds the cluster to your kubeconfig."
  value       = module.platform.kubeconfig_command
}
