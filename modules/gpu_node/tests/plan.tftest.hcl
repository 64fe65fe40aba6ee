# Plans that need no cloud: without credentials the provider says which checks it skips.

run "defaults" {
  command = plan

  variables {
    name   = "chat"
    cloud  = "aws"
    region = "eu-west-1"
    models = ["llama3.1:8b"]
  }

  assert {
    condition     = llm_gpu_node.this.egress == "nat" && llm_gpu_node.this.disk_gib == 30
    error_message = "A node without further settings has a NAT and the disk that its models take."
  }
  assert {
    condition     = llm_gpu_node.this.log_retention_days == 30
    error_message = "Logs are kept for 30 days."
  }
}

run "retention_is_one_that_cloudwatch_knows" {
  command = plan

  variables {
    name               = "chat"
    cloud              = "aws"
    region             = "eu-west-1"
    models             = ["llama3.1:8b"]
    log_retention_days = 100
  }

  assert {
    condition     = llm_gpu_node.this.log_retention_days == 120
    error_message = "100 days become 120 on AWS."
  }
}

run "an_existing_network_has_its_own_way_out" {
  command = plan

  variables {
    name    = "chat"
    cloud   = "aws"
    region  = "eu-west-1"
    models  = ["llama3.1:8b"]
    network = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"] }
  }

  assert {
    condition     = llm_gpu_node.this.egress == "existing"
    error_message = "No NAT in a network that is used."
  }
}

run "tags_are_kept_on_aws" {
  command = plan

  variables {
    name   = "chat"
    cloud  = "aws"
    region = "eu-west-1"
    models = ["llama3.1:8b"]
    tags   = { Team = "Machine Learning" }
  }

  assert {
    condition     = llm_gpu_node.this.tags == tomap({ Team = "Machine Learning" })
    error_message = "AWS takes the tags as they are."
  }
}

run "the_same_call_on_google_cloud" {
  command = plan

  variables {
    name               = "chat"
    cloud              = "gcp"
    region             = "europe-west4"
    models             = ["llama3.1:8b"]
    log_retention_days = 100
    tags               = { Team = "Machine Learning" }
  }

  assert {
    condition     = llm_gpu_node.this.egress == "nat" && llm_gpu_node.this.log_retention_days == 100
    error_message = "There is a NAT, and Cloud Logging keeps 100 days."
  }
  assert {
    condition     = llm_gpu_node.this.tags == tomap({ team = "machine-learning" })
    error_message = "Tags become labels that Google Cloud allows."
  }
}

run "a_key_needs_its_version" {
  command = plan

  variables {
    name               = "chat"
    cloud              = "aws"
    region             = "eu-west-1"
    models             = ["llama3.1:8b"]
    tailscale_auth_key = "tskey-auth-test"
  }

  expect_failures = [var.tailscale_auth_key]
}

run "another_cloud_is_refused" {
  command = plan

  variables {
    name   = "chat"
    cloud  = "azure"
    models = ["llama3.1:8b"]
  }

  expect_failures = [var.cloud]
}
