# Makes a node and removes it again. It needs a Google Cloud project, or the
# GOOGLE_…_CUSTOM_ENDPOINT variables of a simulator of one.

variables {
  name   = "module-test"
  cloud  = "gcp"
  region = "us-central1"
  zones  = ["us-central1-a", "us-central1-b"]
  models = ["llama3.1:8b"]
  tags   = { Team = "ml" }

  tailscale          = { auth_key_version = 1, tags = ["tag:llm"] }
  tailscale_auth_key = "tskey-auth-test"
}

run "create" {
  assert {
    condition     = can(regex("^projects/[^/]+/zones/us-central1-[ab]/instances/llm-node-module-test-us-central1$", output.instance_id)) && startswith(output.private_ip, "10.42.")
    error_message = "There is an instance in the network that was made."
  }
  assert {
    condition     = output.ollama_url == "http://module-test:11434"
    error_message = "The node answers by its name in the tailnet."
  }
  assert {
    condition     = contains(["us-central1-a", "us-central1-b"], output.machine.zone) && output.machine.gpu_count >= 1
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
    condition     = llm_gpu_node.this.log_retention_days == 61 && llm_gpu_node.this.tags == tomap({ team = "research" })
    error_message = "The logs are kept for 61 days, and the labels are the new ones."
  }
  assert {
    condition     = alltrue([for object in output.components : object.state == "ready"])
    error_message = "Every cloud object is there."
  }
}
