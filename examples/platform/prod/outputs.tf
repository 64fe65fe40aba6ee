output "cluster_name" {
  description = "Name of the cluster."
  value       = module.platform.cluster_name
}

output "cluster_endpoint" {
  description = "URL of the Kubernetes API."
  value       = module.platform.cluster_endpoint
}

output "cluster_ca_certificate" {
  description = "Certificate of its authority."
  value       = module.platform.cluster_ca_certificate
}

output "oidc_provider_arn" {
  description = "AWS: OIDC provider, for roles of your own."
  value       = module.platform.oidc_provider_arn
}

output "oidc_provider_url" {
  description = "AWS: its URL, without https://."
  value       = module.platform.oidc_provider_url
}

output "workload_pool" {
  description = "Google Cloud: workload identity pool."
  value       = module.platform.workload_pool
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

output "node_role" {
  description = "Role or service account of the nodes."
  value       = module.platform.node_role
}

output "security_group_id" {
  description = "AWS: security group of control plane and nodes."
  value       = module.platform.security_group_id
}

output "vpc_id" {
  description = "The network."
  value       = module.platform.vpc_id
}

output "private_subnet_ids" {
  description = "Its private subnets."
  value       = module.platform.private_subnet_ids
}

output "public_subnet_ids" {
  description = "AWS: its public subnets."
  value       = module.platform.public_subnet_ids
}

output "log_groups" {
  description = "Where the logs are."
  value       = module.platform.log_groups
}

output "dashboard_url" {
  description = "The dashboard."
  value       = module.platform.dashboard_url
}

output "autoscaler_role_arn" {
  description = "AWS: role for the Cluster Autoscaler."
  value       = module.platform.autoscaler_role_arn
}

output "load_balancer_controller_role_arn" {
  description = "AWS: role for the Load Balancer Controller."
  value       = module.platform.load_balancer_controller_role_arn
}

output "kubeconfig_command" {
  description = "Adds the cluster to your kubeconfig."
  value       = module.platform.kubeconfig_command
}
