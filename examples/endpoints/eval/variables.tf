variable "cloud" {
  description = "aws or gcp."
  type        = string
  default     = "aws"
}

variable "region" {
  description = "Region of that cloud. Default: us-west-2, or us-central1."
  type        = string
  default     = null
}

variable "cluster" {
  description = "Name of the cluster: of a platform, or any EKS or GKE cluster of the region."
  type        = string
  default     = "llmplatform-prod"
}

variable "namespace" {
  description = "Namespace that it runs in; it has to be there."
  type        = string
  default     = "llm-baseline"
}

variable "adapters" {
  description = "LoRA adapters of the judge by name: ORG/NAME of Hugging Face, or a folder in a bucket."
  type        = map(string)
  default     = {}
}

variable "pods" {
  description = "How many serve."
  type        = number
  default     = 2
}
