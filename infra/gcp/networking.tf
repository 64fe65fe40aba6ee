# The node's network: a VPC network of its own with a subnetwork, a router and a Cloud NAT, or an
# existing network and its subnetwork. The instance has no public address in either.

locals {
  makes_network = var.vpc_id == null

  network = {
    cidr          = local.makes_network ? var.network_cidr : null
    vpc_id        = var.vpc_id
    subnet_ids    = var.subnet_ids
    ingress_cidrs = local.ingress_cidrs
  }

  # A network that is made has no other way out than its NAT; an existing one brings its own.
  egress = local.makes_network ? "nat" : "existing"
}
