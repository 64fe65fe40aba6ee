terraform {
  required_providers {
    llm = {
      source = "llm-infra/llm"
    }
  }
}

# A cloud that is not configured here is configured from the environment.
provider "llm" {
  aws = {
    region       = "eu-west-1"
    default_tags = { tags = { team = "ml" } }
  }

  gcp = {
    project        = "my-project"
    region         = "europe-west4"
    default_labels = { team = "ml" }
  }
}
