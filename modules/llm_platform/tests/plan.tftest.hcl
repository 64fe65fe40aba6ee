# Plans that need no cloud: what the module makes of its inputs.

provider "llm" {
  aws = { region = "us-west-2" }
  gcp = { project = "my-project", region = "us-central1" }
}

variables {
  name  = "llmplatform-dev"
  cloud = "aws"
  tags  = { Team = "ML Research" }
}

run "two_lines" {
  command = plan

  assert {
    condition     = llm_platform_cluster.this.deletion_protection && llm_platform_cluster.this.tags.Team == "ML Research"
    error_message = "A name and a cloud are enough, and the platform is protected."
  }
}

run "retention_of_cloudwatch" {
  command = plan
  variables {
    observability = { retention_days = 45 }
  }

  assert {
    condition     = llm_platform_cluster.this.observability.retention_days == 60
    error_message = "CloudWatch gets the next longer time that it knows."
  }
}

run "google_cloud" {
  command = plan
  variables {
    cloud         = "gcp"
    observability = { retention_days = 45 }
  }

  assert {
    condition     = llm_platform_cluster.this.observability.retention_days == 45
    error_message = "Google Cloud knows any number of days."
  }
  assert {
    condition     = llm_platform_cluster.this.tags.team == "ml-research"
    error_message = "Tags become labels."
  }
}

run "teams" {
  command = plan
  variables {
    namespaces = { quant = { quota = { pods = "15" } } }
    workloads  = { quant-api = { namespace = "quant", invoke_endpoints = ["quant-*"] } }
  }

  assert {
    condition     = contains(llm_platform_cluster.this.namespace_names, "quant")
    error_message = "Namespaces and workloads are handed on."
  }
}
