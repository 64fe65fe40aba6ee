# Who reaches the node: the tailnet, and the private ranges of ingress_cidrs. Nothing comes in from
# the internet. The auth key goes into Secrets Manager, and the instance's role reads it at boot.

locals {
  ingress_cidrs = length(var.ingress_cidrs) > 0 ? var.ingress_cidrs : null

  # Whether there is a key is decided by what is not secret: a secret may not decide what a plan
  # shows.
  joins_tailnet = var.tailscale_auth_key_version != null || var.tailscale_auth_key_secret != null

  tailscale = local.joins_tailnet ? {
    auth_key_wo         = var.tailscale_auth_key
    auth_key_wo_version = var.tailscale_auth_key_version
    auth_key_secret     = var.tailscale_auth_key_secret
    hostname            = var.tailscale_hostname
    tags                = var.tailscale_tags
  } : null
}

check "node_is_reachable" {
  assert {
    condition     = local.joins_tailnet || length(var.ingress_cidrs) > 0
    error_message = "Nobody will reach the node: set tailscale_auth_key with tailscale_auth_key_version, tailscale_auth_key_secret, or ingress_cidrs."
  }
}
