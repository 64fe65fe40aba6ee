variable "region" {
  description = "Region of Google Cloud."
  type        = string
  default     = "us-central1"
}

variable "bucket" {
  description = "Bucket that holds the adapters, each in a folder of its own below adapters/."
  type        = string
  default     = "example-models"
}

variable "adapters" {
  description = "Names of the adapters."
  type        = set(string)
  default     = ["sql", "summaries"]
}

variable "token_secret" {
  description = "Secret in Secret Manager with a token of Hugging Face that may read the model."
  type        = string
  default     = "huggingface"
}
