# Logs: a CloudWatch log group of the node's own. CloudWatch keeps logs for one of these times only.

locals {
  cloudwatch_days = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
  ]

  log_retention_days = min([for days in local.cloudwatch_days : days if days >= var.log_retention_days]...)
}
