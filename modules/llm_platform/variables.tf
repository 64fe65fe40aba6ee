variable "name" {
  description = "Name of the cluster, for example llmplatform-dev. The names of everything that is made derive from it."
  type        = string
}

variable "cloud" {
  description = "Cloud to make the platform in: aws or gcp."
  type        = string
}

variable "region" {
  description = "Region. Default: the provider's region for this cloud."
  type        = string
  default     = null
}

variable "kubernetes_version" {
  description = "Kubernetes version, major and minor. It goes up one minor version at a time."
  type        = string
  default     = null
}

variable "release_channel" {
  description = "Google Cloud only: RAPID, REGULAR, STABLE or EXTENDED."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether a destroy is refused in the plan."
  type        = bool
  default     = true
}

variable "network" {
  description = "Make a network (cidr, zones, nat), or use an existing one (vpc_id and subnets)."
  type = object({
    cidr                = optional(string)
    zones               = optional(number)
    zone_names          = optional(list(string))
    nat                 = optional(string)
    vpc_id              = optional(string)
    private_subnet_ids  = optional(list(string))
    public_subnet_ids   = optional(list(string))
    pods_cidr           = optional(string)
    services_cidr       = optional(string)
    control_plane_cidr  = optional(string)
    pods_range_name     = optional(string)
    services_range_name = optional(string)
  })
  default = null
}

variable "endpoint" {
  description = "Who reaches the Kubernetes API: public, public_cidrs, private."
  type = object({
    public       = optional(bool)
    public_cidrs = optional(set(string))
    private      = optional(bool)
  })
  default = null
}

variable "access" {
  description = "Who may administer the cluster (admins) or look at all of it (viewers): ARNs of roles and users, or e-mail addresses. On AWS, groups says who is in which Kubernetes group."
  type = object({
    admins  = optional(set(string))
    viewers = optional(set(string))
    groups  = optional(map(set(string)))
  })
  default = null
}

variable "node_pools" {
  description = "Pools of nodes by name. Default: one small pool."
  type = map(object({
    machine_types   = optional(list(string))
    gpu             = optional(bool)
    provisioning    = optional(string)
    min             = optional(number)
    max             = optional(number)
    desired         = optional(number)
    autoscaling     = optional(bool)
    disk_gib        = optional(number)
    image_type      = optional(string)
    max_unavailable = optional(number)
    labels          = optional(map(string))
    taints = optional(list(object({
      key    = string
      value  = optional(string)
      effect = string
    })))
  }))
  default = null
}

variable "registries" {
  description = "Container registries: names, and how long images are kept."
  type = object({
    names          = set(string)
    keep_tagged    = optional(number)
    tag_prefixes   = optional(list(string))
    untagged_days  = optional(number)
    immutable_tags = optional(bool)
    scan_on_push   = optional(bool)
    kms_key        = optional(string)
    force_delete   = optional(bool)
  })
  default = null
}

variable "namespaces" {
  description = "Namespaces by name, with quota, limits, configuration and rights."
  type = map(object({
    labels      = optional(map(string))
    annotations = optional(map(string))
    quota       = optional(map(string))
    limit_range = optional(object({
      default_cpu            = optional(string)
      default_memory         = optional(string)
      default_request_cpu    = optional(string)
      default_request_memory = optional(string)
      max_cpu                = optional(string)
      max_memory             = optional(string)
      min_cpu                = optional(string)
      min_memory             = optional(string)
    }))
    config       = optional(map(string))
    default_deny = optional(set(string))
    rbac = optional(object({
      admins  = optional(set(string))
      editors = optional(set(string))
      viewers = optional(set(string))
      roles = optional(map(object({
        rules = list(object({
          api_groups = optional(list(string))
          resources  = list(string)
          verbs      = list(string)
        }))
        subjects = set(string)
      })))
    }))
  }))
  default = null
}

variable "workloads" {
  description = "What runs under an identity of its own in the cloud, by name."
  type = map(object({
    namespace        = string
    service_account  = optional(string)
    invoke_endpoints = optional(set(string))
    metrics          = optional(bool)
    policies         = optional(set(string))
  }))
  default = null
}

variable "observability" {
  description = "Logs, dashboard, alarms and GPU metrics. CloudWatch gets the next longer retention that it knows."
  type = object({
    cluster_logs   = optional(set(string))
    retention_days = optional(number, 30)
    dashboard      = optional(bool)
    gpu_metrics    = optional(bool)
    alarms = optional(object({
      node_cpu_percent = optional(number)
      actions          = optional(set(string))
    }))
  })
  default = {}
}

variable "leftovers" {
  description = "What a destroy removes, though it holds data: volumes of the persistent volume claims NAMESPACE/CLAIM."
  type = object({
    volumes = optional(set(string))
  })
  default = null
}

variable "encryption" {
  description = "Encryption of the Kubernetes secrets with a key of your own: kms_key."
  type = object({
    kms_key = optional(string)
  })
  default = null
}

variable "tags" {
  description = "Tags for everything that is made in the cloud. On Google Cloud they become labels: lower case, and a hyphen for what labels do not allow."
  type        = map(string)
  default     = {}
}

variable "timeouts" {
  description = "How long each operation may take, for example 1h30m. Default: the resource's."
  type = object({
    create = optional(string)
    update = optional(string)
    delete = optional(string)
  })
  default = {}
}
