# Plans that need no cloud: what the module makes of its inputs.

provider "llm" {
  aws = { region = "us-west-2" }
  gcp = { project = "my-project", region = "us-central1" }
}

variables {
  name  = "quant-endpoint"
  cloud = "aws"
  model = "llama3.1:8b"
  tags  = { Team = "ML Research" }

  rollout = { strategy = "canary", step_percent = 50 }
  scaling = { min = 2 }
  alarms  = { errors_5xx = 5 }
}

run "sagemaker" {
  command = plan

  assert {
    condition     = llm_endpoint.this.tags.Team == "ML Research" && llm_endpoint.this.rollout.strategy == "canary" && llm_endpoint.this.alarms.errors_5xx == 5
    error_message = "On SageMaker everything is handed on."
  }
  assert {
    condition     = endswith(output.invoke_url, "/endpoints/quant-endpoint/invocations") && output.log_group != ""
    error_message = "The outputs are the resource's."
  }
}

run "retention_of_cloudwatch" {
  command = plan
  variables {
    log_retention_days = 45
  }

  assert {
    condition     = llm_endpoint.this.log_retention_days == 60
    error_message = "CloudWatch gets the next longer time that it knows."
  }
}

run "vertex_ai" {
  command = plan
  variables {
    cloud              = "gcp"
    log_retention_days = 45
  }

  assert {
    condition     = llm_endpoint.this.tags.team == "ml-research" && llm_endpoint.this.rollout == null && llm_endpoint.this.alarms.errors_5xx == 5
    error_message = "Tags become labels, and what Vertex AI does not have is left out."
  }
}

run "cluster" {
  command = plan
  variables {
    target            = "cluster"
    cluster           = { kubernetes = { endpoint = "https://10.0.0.1", token_version = 1 }, namespace = "quant" }
    cluster_token     = "t"
    rollout           = null
    huggingface_token = null
  }

  assert {
    condition     = llm_endpoint.this.alarms == null && output.invoke_url == "http://quant-endpoint.quant.svc.cluster.local"
    error_message = "A cluster has no alarms."
  }
}

run "secrets" {
  command = plan
  variables {
    cloud                     = "gcp"
    huggingface_token         = "hf_x"
    huggingface_token_version = 1
  }

  assert {
    condition     = llm_endpoint.this.huggingface_token_wo_version == 1
    error_message = "The token goes with its version."
  }
}
