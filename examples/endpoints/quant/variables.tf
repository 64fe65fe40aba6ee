variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-west-2"
}

variable "model" {
  description = "Model with AWQ weights, of Hugging Face or in S3 (s3://BUCKET/PREFIX/)."
  type        = string
  default     = "TheBloke/Mistral-7B-Instruct-v0.2-AWQ"
}

variable "capture_uri" {
  description = "Where a tenth of the calls are kept, s3://BUCKET/PREFIX; null: nowhere."
  type        = string
  default     = null
}

variable "alarm_topics" {
  description = "ARNs of SNS topics that are told when an alarm goes off."
  type        = set(string)
  default     = []
}
