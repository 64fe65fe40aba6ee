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

variable "kubernetes_version" {
  description = "Kubernetes version."
  type        = string
  default     = "1.34"
}

variable "api_cidrs" {
  description = "IPv4 ranges that may reach the Kubernetes API: those of your offices and runners. null: all."
  type        = set(string)
  default     = null
}

variable "alarm_actions" {
  description = "Who is told of alarms: ARNs of SNS topics, or notification channels."
  type        = set(string)
  default     = []
}
