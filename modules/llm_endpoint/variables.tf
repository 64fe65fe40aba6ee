variable "name" {
  description = "Name of the endpoint. The names of everything that is made derive from it."
  type        = string
}

variable "cloud" {
  description = "Cloud to serve on: aws or gcp."
  type        = string
}

variable "region" {
  description = "Region. Default: the provider's region for this cloud."
  type        = string
  default     = null
}

variable "target" {
  description = "Where the model runs: managed (SageMaker, Vertex AI) or cluster."
  type        = string
  default     = "managed"
}

variable "model" {
  description = "What is served: ORG/NAME of Hugging Face, a name of the catalogue, s3://… or gs://…, or an image (oci://…)."
  type        = string
}

variable "model_revision" {
  description = "Branch, tag or commit of a model of Hugging Face."
  type        = string
  default     = null
}

variable "model_size" {
  description = "What a model needs that the catalogue does not have: memory_gib, disk_gib."
  type = object({
    memory_gib = number
    disk_gib   = optional(number)
  })
  default = null
}

variable "quantization" {
  description = "How the weights are quantized: none, gptq, awq or fp8."
  type        = string
  default     = "none"
}

variable "context_tokens" {
  description = "Tokens of context that a request may have."
  type        = number
  default     = null
}

variable "adapters" {
  description = "LoRA adapters by name: where the files are."
  type        = map(string)
  default     = null
}

variable "container" {
  description = "The server: stack and version, or an image of your own. Default: the newest vLLM of the catalogue."
  type = object({
    stack             = optional(string)
    version           = optional(string)
    image             = optional(string)
    args              = optional(list(string))
    port              = optional(number)
    health_route      = optional(string)
    predict_route     = optional(string)
    shared_memory_mib = optional(number)
  })
  default = null
}

variable "environment" {
  description = "Environment of the server. Not for secrets."
  type        = map(string)
  default     = null
}

variable "machine" {
  description = "The machine of an instance. Default: the cheapest that holds the model."
  type = object({
    type          = optional(string)
    provisioning  = optional(string)
    gpus          = optional(number)
    cpu           = optional(string)
    memory_gib    = optional(number)
    disk_gib      = optional(number)
    inference_ami = optional(string)
  })
  default = null
}

variable "variants" {
  description = "Variants by name, which share the calls by weight, in percent."
  type = map(object({
    weight         = number
    instances      = optional(number)
    machine_type   = optional(string)
    model          = optional(string)
    model_revision = optional(string)
    quantization   = optional(string)
    image          = optional(string)
    environment    = optional(map(string))
  }))
  default = null
}

variable "scaling" {
  description = "How many instances, and what they are scaled by."
  type = object({
    min                  = optional(number)
    max                  = optional(number)
    target_invocations   = optional(number)
    target_gpu_percent   = optional(number)
    scale_to_zero        = optional(bool)
    scale_in_cooldown_s  = optional(number)
    scale_out_cooldown_s = optional(number)
    variants = optional(map(object({
      min                = optional(number)
      max                = optional(number)
      target_invocations = optional(number)
      target_gpu_percent = optional(number)
    })))
  })
  default = null
}

variable "startup_timeout_s" {
  description = "Seconds that a server may take to fetch its model and to be ready."
  type        = number
  default     = null
}

variable "huggingface_token" {
  description = "Token of Hugging Face; it is in no plan, state or log. It goes with huggingface_token_version."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "huggingface_token_version" {
  description = "Raise this number when huggingface_token changes."
  type        = number
  default     = null
}

variable "huggingface_token_secret" {
  description = "Existing secret that holds the token."
  type        = string
  default     = null
}

variable "cluster" {
  description = "With target = \"cluster\": which cluster (by name, or kubernetes: endpoint, ca_certificate, and token_file or cluster_token with token_version), and where in it."
  type = object({
    name           = optional(string)
    namespace      = optional(string)
    storage_class  = optional(string)
    shared_storage = optional(bool)
    metrics = optional(object({
      requests = optional(string)
      gpu      = optional(string)
    }))
    node_selector = optional(map(string))
    tolerations = optional(list(object({
      key    = string
      value  = optional(string)
      effect = optional(string)
    })))
    priority_class     = optional(string)
    image_pull_secrets = optional(set(string))
    kubernetes = optional(object({
      endpoint       = string
      ca_certificate = optional(string)
      token_file     = optional(string)
      token_version  = optional(number)
    }))
  })
  default = null
}

variable "cluster_token" {
  description = "Token for a cluster that is named by cluster.kubernetes; it is in no plan, state or log."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "network" {
  description = "In which network the model runs, or from where it is called."
  type = object({
    subnet_ids              = optional(list(string))
    security_group_ids      = optional(list(string))
    isolated                = optional(bool)
    dedicated               = optional(bool)
    vpc_network             = optional(string)
    private_service_connect = optional(bool)
    allowed_projects        = optional(set(string))
    expose                  = optional(string)
    source_ranges           = optional(set(string))
  })
  default = null
}

variable "kms_key" {
  description = "Existing KMS key for disks and the secret."
  type        = string
  default     = null
}

variable "role" {
  description = "Existing identity that the model runs under, in place of the one that is made."
  type        = string
  default     = null
}

variable "data_capture" {
  description = "Keeps requests and answers: uri (s3://… on AWS, bq://… on Google Cloud), percent, content, kms_key."
  type = object({
    uri     = string
    percent = optional(number)
    content = optional(set(string))
    kms_key = optional(string)
  })
  default = null
}

variable "rollout" {
  description = "How a change reaches the calls: strategy, step_percent, wait_s, keep_old_s, alarms. Vertex AI, which knows one way only, does without."
  type = object({
    strategy     = optional(string)
    step_percent = optional(number)
    wait_s       = optional(number)
    keep_old_s   = optional(number)
    alarms       = optional(set(string))
  })
  default = null
}

variable "alarms" {
  description = "Alarms for each variant: errors_5xx, latency_ms, actions. A cluster does without."
  type = object({
    errors_5xx = optional(number)
    latency_ms = optional(number)
    actions    = optional(set(string))
  })
  default = null
}

variable "log_retention_days" {
  description = "Days that SageMaker's logs are kept. CloudWatch gets the next longer time that it knows; elsewhere the project or the cluster decides."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3653
    error_message = "Logs are kept for 1 to 3653 days."
  }
}

variable "tags" {
  description = "Tags for everything that is made. On Google Cloud and in a cluster they become labels: lower case, and a hyphen for what labels do not allow."
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
