tofu import llm_vault.x gcp/x
