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

variable "adapters" {
  description = "LoRA adapters of the fine-tuned model by name: .tar.gz in S3 (s3://…), or folders in GCS (gs://…). null: none yet."
  type        = map(string)
  default     = null
}
