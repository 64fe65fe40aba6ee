# Logs: a log bucket of the node's own, and a sink that fills it. Cloud Logging keeps logs for any
# number of days up to 3650.

locals {
  log_retention_days = var.log_retention_days
}
