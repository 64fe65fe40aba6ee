# The same variables as in ../gcp; only the defaults of region and the values that a cloud names
# differ.

variable "name" {
  description = "Name of the node. The names of everything that is made derive from it."
  type        = string
  default     = "llm"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "account_or_project" {
  description = "Id of the only AWS account that may be worked in. Default: the account of the credentials."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for everything that is made."
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
  description = "Availability zones to try in this order. Default: the first three of the region that offer the machine."
  type        = list(string)
  default     = null
}

variable "disk_type" {
  description = "Type of the model disk: gp3, gp2, io1 or io2. Default: gp3."
  type        = string
  default     = null
}

variable "kms_key" {
  description = "Existing KMS key (id or ARN) that encrypts the volumes and the secret. Default: the account's own key."
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
  description = "IPv4 range of the VPC that is made."
  type        = string
  default     = "10.42.0.0/16"
}

variable "vpc_id" {
  description = "Existing VPC to use instead; subnet_ids is needed with it."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Existing private subnets of that VPC, tried in this order."
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
  description = "Existing secret in Secrets Manager (name or ARN) that holds the auth key, instead of tailscale_auth_key."
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
  description = "Days that the node's logs are kept at least; CloudWatch gets the next longer time that it knows."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650
    error_message = "log_retention_days is 1 to 3650."
  }
}

# The image: ami.tf

variable "image" {
  description = "AMI id. Default: the current Deep Learning base image, resolved when the node is made and then kept."
  type        = string
  default     = null
}
