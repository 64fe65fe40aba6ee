# The attributes of llm_gpu_node, with the same names and meanings on both clouds. What only one
# cloud has says so.

variable "name" {
  description = "Name of the node. The names of everything that is made derive from it."
  type        = string
}

variable "cloud" {
  description = "Cloud to make the node in: aws or gcp."
  type        = string

  validation {
    condition     = contains(["aws", "gcp"], var.cloud)
    error_message = "cloud is aws or gcp."
  }
}

variable "region" {
  description = "Region. Default: the provider's region for this cloud."
  type        = string
  default     = null
}

variable "zones" {
  description = "Zones to try in this order. Default: the first three of the region that offer the machine."
  type        = list(string)
  default     = null
}

variable "models" {
  description = "Models to serve, as Ollama names them."
  type        = list(string)
  default     = null
}

variable "custom_model" {
  description = "A model that the catalogue does not have, with its own needs."
  type = object({
    name       = string
    memory_gib = number
    disk_gib   = number
  })
  default = null
}

variable "runtime" {
  description = "Server of the models: ollama or vllm."
  type        = string
  default     = "ollama"
}

variable "context_tokens" {
  description = "Tokens of context that each model is to hold."
  type        = number
  default     = 8192
}

variable "machine" {
  description = "One machine type, or candidates to try in this order, and the provisioning: on_demand, spot or spot_preferred. Default: the cheapest machine that holds the models, on demand."
  type = object({
    type         = optional(string)
    candidates   = optional(list(string))
    provisioning = optional(string)
  })
  default = null
}

variable "disk" {
  description = "The encrypted disk that holds the models. Default: a size from the models, and the cloud's usual type and key."
  type = object({
    size_gib   = optional(number)
    type       = optional(string)
    iops       = optional(number)
    throughput = optional(number)
    kms_key    = optional(string)
  })
  default = null
}

variable "network" {
  description = "Make a network (cidr), or use an existing one (vpc_id and subnet_ids). security_group_id is AWS only."
  type = object({
    cidr              = optional(string)
    vpc_id            = optional(string)
    subnet_ids        = optional(list(string))
    security_group_id = optional(string)
    ingress_cidrs     = optional(set(string))
  })
  default = null
}

variable "tailscale" {
  description = "Joins the node to a tailnet: with tailscale_auth_key and auth_key_version, or with an existing secret that holds the key."
  type = object({
    auth_key_version = optional(number)
    auth_key_secret  = optional(string)
    hostname         = optional(string)
    tags             = optional(list(string))
    ssh              = optional(bool)
  })
  default = null
}

variable "tailscale_auth_key" {
  description = "Tailscale auth key; it is in no plan, state or log. It goes with tailscale.auth_key_version."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.tailscale_auth_key == null || try(var.tailscale.auth_key_version, null) != null
    error_message = "Set tailscale.auth_key_version (to 1 at first) together with tailscale_auth_key; raise it when the key changes."
  }
}

variable "image" {
  description = "Machine image: an AMI id; on Google Cloud projects/…/global/images/… Default: the current Deep Learning image, resolved when the node is made and then kept."
  type        = string
  default     = null
}

variable "instance_profile" {
  description = "AWS only: existing instance profile, instead of a role and profile that are made."
  type        = string
  default     = null
}

variable "service_account" {
  description = "Google Cloud only: email of an existing service account, instead of one that is made."
  type        = string
  default     = null
}

variable "huggingface_token_secret" {
  description = "Existing secret that holds a Hugging Face token, for models that vllm may only download with one."
  type        = string
  default     = null
}

variable "model_cache" {
  description = "Where models are kept, so that a new node does not download them again: s3_uri (AWS), gcs_uri (Google Cloud), or snapshot_id."
  type = object({
    s3_uri      = optional(string)
    gcs_uri     = optional(string)
    snapshot_id = optional(string)
  })
  default = null
}

variable "log_retention_days" {
  description = "Days that the node's logs are kept at least, 1 to 3650. CloudWatch gets the next longer time that it knows."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650
    error_message = "log_retention_days is 1 to 3650."
  }
}

variable "power" {
  description = "running or stopped."
  type        = string
  default     = "running"
}

variable "wait_for" {
  description = "When apply is done: running, or serving (the models are loaded and answer)."
  type        = string
  default     = "running"
}

variable "tags" {
  description = "Tags for everything that is made. On Google Cloud they become labels: lower case, and a hyphen for what labels do not allow."
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
