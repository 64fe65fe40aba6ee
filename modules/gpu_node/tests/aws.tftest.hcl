# Makes a node and removes it again. It needs an AWS account, or AWS_ENDPOINT_URL of a simulator of
# one.

variables {
  name   = "module-test"
  cloud  = "aws"
  region = "us-east-1"
  zones  = ["us-east-1a", "us-east-1b"]
  models = ["llama3.1:8b"]
  tags   = { Team = "ml" }

  tailscale          = { auth_key_version = 1, tags = ["tag:llm"] }
  tailscale_auth_key = "tskey-auth-test"
}

run "create" {
  assert {
    condition     = can(regex("^i-[0-9a-f]+$", output.instance_id)) && startswith(output.private_ip, "10.42.")
    error_message = "There is an instance in the network that was made."
  }
  assert {
    condition     = output.ollama_url == "http://module-test:11434"
    error_message = "The node answers by its name in the tailnet."
  }
  assert {
    condition     = contains(["us-east-1a", "us-east-1b"], output.machine.zone) && output.machine.gpu_count >= 1
    error_message = "The machine has a GPU and is in one of the zones."
  }
  assert {
    condition     = alltrue([for object in output.components : object.state == "ready"])
    error_message = "Every cloud object is there."
  }
}

run "change_in_place" {
  variables {
    log_retention_days = 61
    tags               = { Team = "research" }
  }

  assert {
    condition     = llm_gpu_node.this.log_retention_days == 90 && llm_gpu_node.this.tags == tomap({ Team = "research" })
    error_message = "CloudWatch keeps 90 days, and the tags are the new ones."
  }
  assert {
    condition     = alltrue([for object in output.components : object.state == "ready"])
    error_message = "Every cloud object is there."
  }
}
