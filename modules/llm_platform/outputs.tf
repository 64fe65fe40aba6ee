output "cluster_name" {
  description = "Name of the cluster."
  value       = llm_platform_cluster.this.cluster_name
}

output "cluster_endpoint" {
  description = "URL of the Kubernetes API."
  value       = llm_platform_cluster.this.cluster_endpoint
}

output "cluster_ca_certificate" {
  description = "Certificate of the cluster's authority, as PEM."
  value       = llm_platform_cluster.this.cluster_ca_certificate
}

output "kubernetes_version" {
  description = "Version of Kubernetes."
  value       = llm_platform_cluster.this.kubernetes_version
}

output "oidc_provider_arn" {
  description = "AWS: ARN of the OIDC provider, for roles of your own."
  value       = llm_platform_cluster.this.oidc_provider_arn
}

output "oidc_provider_url" {
  description = "AWS: URL of the OIDC issuer, without https://."
  value       = llm_platform_cluster.this.oidc_provider_url
}

output "workload_pool" {
  description = "Google Cloud: workload identity pool."
  value       = llm_platform_cluster.this.workload_pool
}

output "registry_urls" {
  description = "URL of each registry, by its name."
  value       = llm_platform_cluster.this.registry_urls
}

output "workload_identities" {
  description = "Of each workload, by its name: the role's ARN, or the service account's e-mail address."
  value       = llm_platform_cluster.this.workload_identities
}

output "namespace_names" {
  description = "Names of the namespaces."
  value       = llm_platform_cluster.this.namespace_names
}

output "node_role" {
  description = "ARN of the nodes' role, or e-mail address of their service account."
  value       = llm_platform_cluster.this.node_role
}

output "security_group_id" {
  description = "AWS: security group of control plane and nodes."
  value       = llm_platform_cluster.this.security_group_id
}

output "vpc_id" {
  description = "The VPC, or the network's link."
  value       = llm_platform_cluster.this.vpc_id
}

output "private_subnet_ids" {
  description = "The private subnets, or the subnetwork's link."
  value       = llm_platform_cluster.this.private_subnet_ids
}

output "log_groups" {
  description = "Log groups, or log buckets."
  value       = llm_platform_cluster.this.log_groups
}

output "dashboard_url" {
  description = "The dashboard in the cloud's console."
  value       = llm_platform_cluster.this.dashboard_url
}

output "kubeconfig_command" {
  description = "Command that adds the cluster to your kubeconfig."
  value       = llm_platform_cluster.this.kubeconfig_command
}

output "components" {
  description = "Every cloud and Kubernetes object of the platform, by name."
  value       = llm_platform_cluster.this.components
}

output "public_subnet_ids" {
  description = "AWS: the public subnets."
  value       = llm_platform_cluster.this.public_subnet_ids
}

output "autoscaler_role_arn" {
  description = "AWS: role for the Cluster Autoscaler."
  value       = llm_platform_cluster.this.autoscaler_role_arn
}

output "load_balancer_controller_role_arn" {
  description = "AWS: role for the AWS Load Balancer Controller."
  value       = llm_platform_cluster.this.load_balancer_controller_role_arn
}
