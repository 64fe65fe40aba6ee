# The same variables as in ../aws; only the defaults of region and the values that a cloud names
# differ.

variable "name" {
  description = "Name of the node. The names of everything that is made derive from it."
  type        = string
  default     = "llm"
}

variable "region" {
  description = "Google Cloud region."
  type        = string
  default     = "us-central1"
}

variable "account_or_project" {
  description = "Project to work in. Default: GOOGLE_PROJECT, or the project of the credentials."
  type        = string
  default     = null
}

variable "tags" {
  description = "Labels for everything that is made; what labels do not allow is replaced by a hyphen."
  type        = map(string)
  default     = {}
}

# What is served: model_mapping.tf

variable "models" {
  description = "Models to serve, as Ollama names them."
  type        = list(string)
  default     = ["llama3.1:8b"]
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

variable "model_mapping" {
  description = "Machine types (tried in this order) and disk size by model, instead of those of the provider's catalogue."
  type = map(object({
    machine_types = optional(list(string), [])
    disk_gib      = optional(number)
  }))
  default = {}
}

# The machine and its disk: compute.tf

variable "provisioning" {
  description = "on_demand, spot, or spot_preferred: spot first, then on demand."
  type        = string
  default     = "on_demand"
}

variable "zones" {
  description = "Zones to try in this order. Default: the first three of the region that offer the machine."
  type        = list(string)
  default     = null
}

variable "disk_type" {
  description = "Type of the model disk: pd-balanced, pd-ssd, pd-standard or hyperdisk-balanced. Default: pd-balanced."
  type        = string
  default     = null
}

variable "kms_key" {
  description = "Existing KMS key (projects/…/cryptoKeys/…) that encrypts the disks and the secret. Default: Google's own key."
  type        = string
  default     = null
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

# The network: networking.tf

variable "network_cidr" {
  description = "IPv4 range of the VPC network that is made."
  type        = string
  default     = "10.42.0.0/16"
}

variable "vpc_id" {
  description = "Existing VPC network to use instead (its name, or projects/…/global/networks/…); subnet_ids is needed with it."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Existing subnetwork of that network, one of the region: its name, or projects/…/subnetworks/…"
  type        = list(string)
  default     = null
}

# Who reaches the node: security.tf

variable "ingress_cidrs" {
  description = "Private IPv4 ranges that may reach the runtime's port. Tailscale needs none."
  type        = set(string)
  default     = []
}

variable "tailscale_auth_key" {
  description = "Tailscale auth key; it is in no plan, state or log. It goes with tailscale_auth_key_version."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.tailscale_auth_key == null || var.tailscale_auth_key_version != null
    error_message = "Set tailscale_auth_key_version (to 1 at first) together with tailscale_auth_key; raise it when the key changes."
  }
}

variable "tailscale_auth_key_version" {
  description = "Number of the auth key, 1 at first. Raise it when tailscale_auth_key changes."
  type        = number
  default     = null
}

variable "tailscale_auth_key_secret" {
  description = "Existing secret in Secret Manager (its name, or projects/…/secrets/…) that holds the auth key, instead of tailscale_auth_key."
  type        = string
  default     = null
}

variable "tailscale_hostname" {
  description = "Name of the node in the tailnet. Default: name."
  type        = string
  default     = null
}

variable "tailscale_tags" {
  description = "Tailscale tags to advertise, each tag:…"
  type        = list(string)
  default     = null
}

# Logs: logging.tf

variable "log_retention_days" {
  description = "Days that the node's logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650
    error_message = "log_retention_days is 1 to 3650."
  }
}

# The image: image.tf

variable "image" {
  description = "Image: projects/…/global/images/… or projects/…/global/images/family/… Default: the current Deep Learning VM image, resolved when the node is made and then kept."
  type        = string
  default     = null
}
