# A token for the cluster, which is never stored.
ephemeral "llm_cluster_auth" "platform" {
  cloud = "aws"
  name  = "llmplatform-dev"
}

# provider "kubernetes" {
#   host                   = ephemeral.llm_cluster_auth.platform.endpoint
#   cluster_ca_certificate = ephemeral.llm_cluster_auth.platform.ca_certificate
#   token                  = ephemeral.llm_cluster_auth.platform.token
# }
